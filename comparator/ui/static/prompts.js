// The line below the prompt: examples to begin with, system prompts kept by name in this browser,
// the link of this form, and the way back to how it was at first.

const PROMPT_EXAMPLES = Object.keys(TEXTS.en)
  .map((key) => key.match(/^compare\.example_(\w+)_name$/)?.[1])
  .filter(Boolean);

function promptsFill(prompt, system) {
  const { prompt: oldPrompt = "", system_prompt: oldSystem = "" } = keptForm || {};
  window.comparatorFilled = [prompt ?? oldPrompt, system ?? oldSystem];
  trigger("fill");
  const isReplaced = (prompt !== null && oldPrompt.trim() && oldPrompt !== prompt)
    || (system !== null && oldSystem.trim() && oldSystem !== system);
  if (!isReplaced) return;
  const undo = () => promptsFill(oldPrompt, oldSystem);
  slotsSay([{ key: "slots.replaced", action: { text: said("slots.undo"), press: undo } }]);
}

// A button with a list under it that Escape or a click elsewhere closes.
function promptsMenu(parent, name, label, drawList) {
  const button = slotsButton(parent, "tool", `${label} ▾`, `${label} ▾`, () => {});
  button.setAttribute("aria-haspopup", "true");
  const list = slotsNode("div", parent, "tool-menu");
  list.id = `${name}-menu`;
  list.popover = "auto";
  button.popoverTargetElement = list;
  const close = () => {
    list.hidePopover();
    button.focus();
  };
  list.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    drawList(list, close);
    const { left, bottom } = button.getBoundingClientRect();
    list.style.left = `${Math.max(8, Math.min(left, window.innerWidth - 328))}px`;
    list.style.top = `${bottom + 4}px`;
  });
  list.addEventListener("toggle", (event) => {
    if (event.newState === "open") list.querySelector("button, input")?.focus();
  });
}

function promptsDrawExamples(list, close) {
  list.replaceChildren();
  for (const name of PROMPT_EXAMPLES) {
    const label = said(`compare.example_${name}_name`);
    const item = slotsButton(list, "menu-item", label, label, () => {
      close();
      promptsFill(said(`compare.example_${name}`), null);
      document.querySelector("#prompt textarea")?.focus();
    });
    item.title = said(`compare.example_${name}`);
  }
}

function promptsKept() {
  const kept = keptRead("localStorage", "system-prompts");
  return kept && typeof kept === "object" && !Array.isArray(kept) ? kept : {};
}

function promptsDrawKept(list, close) {
  const kept = promptsKept();
  list.replaceChildren();
  for (const [name, text] of Object.entries(kept).sort()) {
    const row = slotsNode("div", list, "menu-row");
    const item = slotsButton(row, "menu-item", name, name, () => {
      close();
      promptsFill(null, String(text));
    });
    item.title = String(text);
    const label = said("slots.delete_prompt", { name });
    slotsButton(row, "menu-delete", "×", label, () => {
      const { [name]: _gone, ...left } = promptsKept();
      keptWrite("localStorage", "system-prompts", left);
      promptsDrawKept(list, close);
      list.querySelector("button, input")?.focus();
    });
  }
  if (!Object.keys(kept).length) slotsNode("p", list, "menu-empty", said("slots.no_prompts"));
  promptsDrawKeeper(list, close);
}

function promptsDrawKeeper(list, close) {
  const text = (keptForm && keptForm.system_prompt) || "";
  const form = slotsNode("form", list, "menu-form");
  const field = slotsNode("input", form);
  field.maxLength = 80;
  field.placeholder = said(text.trim() ? "slots.prompt_name" : "slots.write_first");
  field.setAttribute("aria-label", said("slots.prompt_name"));
  const button = slotsNode("button", form, "", said("slots.keep"));
  button.type = "submit";
  field.disabled = button.disabled = !text.trim();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (!name) return field.focus();
    const isKept = keptWrite("localStorage", "system-prompts", { ...promptsKept(), [name]: text });
    close();
    slotsSay([{ key: isKept ? "slots.prompt_kept" : "slots.nothing_kept", values: { name } }]);
  });
}

function promptsDraw() {
  const place = document.querySelector("#form-tools-root");
  if (!place) return window.setTimeout(promptsDraw, SLOTS_RETRY_MS);
  promptsMenu(place, "examples", said("slots.examples"), promptsDrawExamples);
  promptsMenu(place, "system-prompts", said("slots.system_prompts"), promptsDrawKept);
  const link = said("slots.copy_link");
  slotsButton(place, "tool", link, link, linkCopy).id = "copy-link";
  const reset = said("slots.reset");
  slotsButton(place, "tool", reset, reset, keptReset).id = "reset-form";
}
