// The form of one slot's own settings, a dialog: a field for each, empty where the slot is as for
// all. Which fields there are, their kinds and ranges is the server's to say (SLOT_FIELDS).

const FORM_GROUPS = ["sampling", "length", "prompt", "machine"];
const formDialog = slotsNode("dialog", element, "slot-dialog");
formDialog.id = "slot-form";
let formPlace = 0;

// What is wrong with a value, in words; empty where nothing is. The server has the last word.
function formProblem(field, value) {
  if (!field) return said("slots.unknown_setting");
  if (value === undefined || (value === null && field.may_be_none)) return "";
  if (field.kind === "choice") return field.choices.includes(value) ? "" : said("slots.wrong_choice");
  if (field.kind !== "number" && field.kind !== "whole") return "";
  const isNumber = typeof value === "number" && Number.isFinite(value);
  const isRight = isNumber && (field.kind === "number" || Number.isInteger(value));
  const values = { low: field.low, high: field.high };
  if (isRight && value >= field.low && value <= field.high) return "";
  return said(field.kind === "whole" ? "slots.wrong_whole" : "slots.wrong_number", values);
}

function formNumber(field, value) {
  const input = document.createElement("input");
  input.type = "number";
  input.step = String(field.step);
  if (Number.isInteger(field.low) && field.low <= 0) input.min = String(field.low);
  input.placeholder = said("slots.range", { low: field.low, high: field.high });
  if (typeof value === "number") input.value = String(value);
  const read = () => {
    if (input.validity.badInput) throw new Error(formProblem(field, NaN));
    return input.value === "" ? undefined : Number(input.value);
  };
  return { input, read };
}

function formChoice(options, value) {
  const input = document.createElement("select");
  for (const [label, own] of [[said("slots.as_for_all"), undefined], ...options]) {
    const option = slotsNode("option", input, "", label);
    option.selected = own === value;
  }
  const values = [undefined, ...options.map(([, own]) => own)];
  return { input, read: () => values[input.selectedIndex] };
}

function formText(field, text, parse) {
  const input = document.createElement(field.name === "reasoning_effort" ? "input" : "textarea");
  if (input.rows) input.rows = 2;
  if (field.kind !== "text") input.placeholder = said(`slots.${field.kind}_hint`);
  input.value = text;
  return { input, read: () => (input.value.trim() ? parse(input.value) : undefined) };
}

function formLines(text) {
  return text.split("\n").filter((line) => line.trim());
}

function formObject(text) {
  return Object.fromEntries(formLines(text).map((line) => {
    const parts = line.match(/^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/);
    if (!parts) throw new Error(said("slots.wrong_object"));
    try {
      return [parts[1], JSON.parse(parts[2])];
    } catch {
      return [parts[1], parts[2]]; // a word needs no quotes
    }
  }));
}

function formEscaped(line) {
  return line.replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

function formUnescaped(line) {
  return line.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
}

function formControl(field, value) {
  switch (field.kind) {
    case "choice":
      return formChoice(field.choices.map((one) => [said(`slots.value_${one}`), one]), value);
    case "switch":
      return formChoice([[said("slots.on"), true], [said("slots.off"), false]], value);
    case "lines": {
      const isStop = field.name === "stop";
      const text = (value || []).map(isStop ? formEscaped : String).join("\n");
      return formText(field, text, (typed) => formLines(typed).map(isStop ? formUnescaped : String));
    }
    case "object": {
      const lines = Object.entries(value || {}).map(([name, own]) => `${name}=${JSON.stringify(own)}`);
      return formText(field, lines.join("\n"), formObject);
    }
    case "text":
      return formText(field, value || "", String);
    default:
      return formNumber(field, value);
  }
}

// The value of its own that means "none at all": null, of the system prompt an empty text.
function formNone(field) {
  if (field.name === "system_prompt") return "";
  return field.may_be_none ? null : undefined;
}

function formField(parent, field, value) {
  const box = slotsNode("div", parent, "form-field");
  const label = slotsNode("label", box, "", said(`slots.field_${field.name}`));
  const { input, read } = formControl(field, value);
  input.id = label.htmlFor = `own-setting-${field.name}`;
  box.append(input);
  const problem = slotsNode("p", null, "problem");
  problem.id = `${input.id}-problem`;
  problem.setAttribute("role", "alert");
  input.setAttribute("aria-describedby", problem.id);
  const tell = (words) => {
    problem.textContent = words;
    input.setAttribute("aria-invalid", String(Boolean(words)));
  };
  const take = () => {
    try {
      const typed = read();
      tell(formProblem(field, typed));
      slotsSet(formPlace, field.name, typed);
    } catch (error) {
      tell(error.message); // what was typed stays in the field
    }
  };
  input.addEventListener("change", take);
  formNoneBox(box, field, value, input, take);
  box.append(problem);
  tell(formProblem(field, value));
}

function formNoneBox(box, field, value, input, take) {
  const none = formNone(field);
  if (none === undefined) return;
  const label = slotsNode("label", box, "form-none");
  const check = slotsNode("input", label);
  check.type = "checkbox";
  label.append(said(`slots.none_${field.name}`));
  check.checked = value === none;
  input.disabled = check.checked;
  check.addEventListener("change", () => {
    input.disabled = check.checked;
    if (check.checked) slotsSet(formPlace, field.name, none);
    else take();
  });
}

function formModel(place) {
  return (window.comparatorCatalogue || {})[slotsModels()[place]] || ["", "", "", []];
}

// What only some chat templates know is offered where the model's own does, or where it is set.
function formFields(place, own) {
  const known = formModel(place)[3];
  return SLOT_FIELDS.filter(({ name, is_templates: isTemplates }) => (
    !isTemplates || known.includes(name) || name in own
  ));
}

function formTitle(place) {
  const head = slotsNode("div", null, "form-head");
  const [name, , known] = formModel(place);
  const title = said("slots.settings", { letter: SLOT_LETTERS[place] });
  slotsNode("h2", head, "", name ? `${title} · ${name}` : title).id = "slot-form-title";
  slotsNode("p", head, "", said("slots.form_hint"));
  if (known) slotsNode("p", head, "known-settings", known);
  return head;
}

function formOpen(place, name = "") {
  formPlace = place;
  const own = slotsOwn()[place];
  formDialog.replaceChildren(formTitle(place));
  formDialog.setAttribute("aria-labelledby", "slot-form-title");
  for (const group of FORM_GROUPS) {
    const fields = formFields(place, own).filter((field) => field.group === group);
    if (!fields.length) continue;
    const set = slotsNode("fieldset", formDialog);
    slotsNode("legend", set, "", said(`slots.group_${group}`));
    const grid = slotsNode("div", set, "form-grid");
    for (const field of fields) formField(grid, field, own[field.name]);
  }
  const foot = slotsNode("div", formDialog, "form-foot");
  const clear = said("slots.clear");
  slotsButton(foot, "form-clear", clear, clear, () => {
    slotsSetOwn(slotsOwn().map((settings, other) => (other === formPlace ? {} : settings)));
    formOpen(formPlace);
  });
  slotsButton(foot, "form-done", said("slots.done"), said("slots.done"), () => formDialog.close());
  if (!formDialog.open) formDialog.showModal();
  formDialog.querySelector(`#own-setting-${name || SLOT_FIELDS[0].name}`)?.focus();
}

formDialog.addEventListener("click", (event) => {
  if (event.target === formDialog) formDialog.close(); // beside the form
});
formDialog.addEventListener("close", () => {
  const letter = SLOT_LETTERS[formPlace].toLowerCase();
  document.querySelector(`#own-${letter}-root .slot-settings`)?.focus();
});
// Escape closes what lies over the page, and does not also stop what runs below it.
window.addEventListener("keydown", (event) => {
  const isOver = document.querySelector("dialog[open], #form-tools :popover-open");
  if (event.key === "Escape" && isOver) event.stopPropagation();
}, true);
