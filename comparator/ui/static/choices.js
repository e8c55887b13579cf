// The closed lists of models: engine, quantisation and size beside the label, where no long name
// can push them out, and the name alone in the field. Its value by the model's id: name, kind, and
// which settings its chat template knows, in words and by name, for the slots' form (slot_form.js).

// Letters that a narrow list holds on one line, and on two smaller ones; more take three.
const LONG_NAME = 28;
const LONGEST_NAME = 58;

function draw() {
  const catalogue = props.value || {};
  window.comparatorCatalogue = catalogue;
  const chosen = window.comparatorChosen || [];
  // By the ids that we gave them: which roles Gradio gives its fields differs between versions.
  document.querySelectorAll("#models [id^='model-']:has(input)").forEach((block, place) => {
    const [name, kind] = catalogue[chosen[place]] || ["", ""];
    const input = block.querySelector("input");
    const label = block.querySelector("[data-testid='block-info']");
    put(part(label, "facts"), kind);
    const shown = part(input.parentElement, "chosen-name");
    put(shown, name);
    shown.classList.toggle("long", name.length > LONG_NAME);
    shown.classList.toggle("longest", name.length > LONGEST_NAME);
    input.parentElement.title = name ? `${name} · ${kind}` : "";
  });
}

// What the field itself holds is read aloud and says all of it: these two are for the eye.
function part(parent, name) {
  const found = parent.querySelector(`.${name}`);
  if (found) return found;
  const made = document.createElement("span");
  made.className = name;
  made.setAttribute("aria-hidden", "true");
  parent.append(made);
  return made;
}

function put(node, text) {
  node.hidden = !text;
  if (node.textContent !== text) node.textContent = text;
}

window.addEventListener("comparator-chosen", draw);
watch("value", draw);
draw();

// Whoever begins to type in a list searches: what is chosen is selected, so that the letters take
// its place. A press sets the caret after the focus came, hence the second look.
function isList(node) {
  return node instanceof HTMLInputElement && Boolean(node.closest("#models [id^='model-']"));
}

let wasThere = null; // what had the focus when the pointer went down
document.addEventListener("focusin", ({ target }) => { if (isList(target)) target.select(); });
document.addEventListener("pointerdown", () => { wasThere = document.activeElement; }, true);
document.addEventListener("click", ({ target }) => {
  if (isList(target) && target !== wasThere) target.select();
});
