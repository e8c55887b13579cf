// The slots: below each list of models what the slot has of its own, as chips, and what can be
// done with it. The server gets {own: [{setting: value}, …]} as this element's value.
// Events: "edited" (own settings changed) and "reset" go to the server. Others stay in the browser:
// "arrange" and "fill" put window.comparatorArranged and window.comparatorFilled into the form, and
// "look" asks for the form's values.

const slotsRoot = element.querySelector("#slots-root");
const slotsSpoken = slotsNode("div", slotsRoot);
slotsSpoken.setAttribute("role", "status");
const slotsNotes = slotsNode("ul", slotsSpoken, "slot-notes");
const SLOTS_RETRY_MS = 50;
const SLOTS_ICONS = {
  settings: "M4 6h9M17 6h3M4 12h3M11 12h9M4 18h9M17 18h3M15 4v4M9 10v4M15 16v4",
  swap: "M7 8h12l-4-4M17 16H5l4 4",
  duplicate: "M9 9h11v11H9zM5 15H4V4h11v1",
  remove: "M6 6l12 12M18 6L6 18",
  shuffle: "M3 7h4l8 10h5M3 17h4l2-2.5M13 9.5L15 7h5M18 4l3 3-3 3M18 14l3 3-3 3",
};
let slotsDrawn = "";

function slotsNode(tag, parent, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function slotsButton(parent, className, text, label, press) {
  const button = slotsNode("button", parent, className, text);
  button.type = "button";
  button.dataset.key = `${className} ${label}`;
  if (label !== text) {
    button.setAttribute("aria-label", label);
    button.title = label;
  }
  button.addEventListener("click", press);
  return button;
}

function slotsIcon(parent, name, label, press) {
  const button = slotsButton(parent, `slot-${name}`, "", label, press);
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SLOTS_ICONS[name]);
  drawing.append(path);
  button.append(drawing);
}

function slotsModels() {
  const chosen = window.comparatorChosen || [];
  return [...SLOT_LETTERS].map((_, place) => chosen[place] || "");
}

// Each slot's own settings; a slot is there while it has a model or was added.
function slotsOwn() {
  const own = (props.value && props.value.own) || [];
  const last = slotsModels().findLastIndex(Boolean);
  const count = Math.min(SLOT_LETTERS.length, Math.max(1, own.length, last + 1));
  return Array.from({ length: count }, (_, place) => own[place] || {});
}

function slotsSetOwn(own) {
  props.value = { own };
  trigger("edited");
  slotsDraw();
  keptSoon();
}

function slotsArrange(order) {
  const models = slotsModels();
  const own = slotsOwn();
  const chosen = order.map((place) => models[place]);
  window.comparatorArranged = [...SLOT_LETTERS].map((_, place) => chosen[place] || "");
  window.comparatorChosen = window.comparatorArranged;
  trigger("arrange");
  slotsSetOwn(order.map((place) => ({ ...own[place] })));
  window.dispatchEvent(new Event("comparator-chosen"));
}

function slotsPlaces() {
  return slotsOwn().map((_, place) => place);
}

function slotsAdd() {
  const own = slotsOwn();
  slotsSetOwn([...own, {}]);
  document.querySelector(`#model-${SLOT_LETTERS[own.length].toLowerCase()} input`)?.focus();
}

function slotsShuffle() {
  const places = slotsPlaces();
  const before = places.join();
  do {
    for (let last = places.length - 1; last > 0; last -= 1) {
      const other = Math.floor(Math.random() * (last + 1));
      [places[last], places[other]] = [places[other], places[last]];
    }
  } while (places.join() === before);
  slotsArrange(places);
}

function slotsSwap(place) {
  const places = slotsPlaces();
  [places[place - 1], places[place]] = [places[place], places[place - 1]];
  slotsArrange(places);
}

function slotsDuplicate(place) {
  const places = slotsPlaces();
  places.splice(place + 1, 0, place);
  slotsArrange(places);
}

function slotsRemove(place) {
  const places = slotsPlaces().filter((other) => other !== place);
  slotsArrange(places);
  const next = SLOT_LETTERS[Math.min(place, places.length - 1)].toLowerCase();
  document.querySelector(`#model-${next} input`)?.focus();
}

function slotsSet(place, name, value) {
  const own = slotsOwn().map((settings) => ({ ...settings }));
  if (value === undefined) delete own[place][name];
  else own[place][name] = value;
  slotsSetOwn(own);
}

// A setting and its value as on the command line: "temperature 1.5", "greedy", "n_ctx fit".
function slotsWords(name, value) {
  if (name === "do_sample" && value === false) return "greedy";
  if (value === null) return `${name} ${said(`slots.none_${name}`)}`;
  if (typeof value === "boolean") return `${name} ${value ? "on" : "off"}`;
  return `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`;
}

function slotsChip(parent, place, name, value) {
  const chip = slotsNode("span", parent, "chip");
  const wrong = formProblem(SLOT_FIELDS.find((field) => field.name === name), value);
  chip.classList.toggle("wrong", Boolean(wrong));
  const words = slotsWords(name, value);
  const edit = slotsButton(chip, "chip-edit", words, words, () => formOpen(place, name));
  edit.title = [said(`slots.field_${name}`), wrong].filter(Boolean).join(": ");
  const label = said("slots.take_away", { setting: name, letter: SLOT_LETTERS[place] });
  slotsButton(chip, "chip-remove", "×", label, () => slotsSet(place, name, undefined));
}

function slotsDrawSlot(place, own) {
  const letter = SLOT_LETTERS[place];
  const line = document.createDocumentFragment();
  const chips = slotsNode("span", line, "chips");
  for (const [name, value] of Object.entries(own[place])) slotsChip(chips, place, name, value);
  const buttons = slotsNode("span", line, "slot-buttons");
  buttons.setAttribute("role", "group");
  buttons.setAttribute("aria-label", said("slots.slot", { letter }));
  const button = (name, values, press) =>
    slotsIcon(buttons, name, said(`slots.${name}`, { letter, ...values }), press);
  button("settings", {}, () => formOpen(place));
  if (place > 0) button("swap", { other: SLOT_LETTERS[place - 1] }, () => slotsSwap(place));
  if (own.length < SLOT_LETTERS.length) button("duplicate", {}, () => slotsDuplicate(place));
  if (own.length > 1) button("remove", {}, () => slotsRemove(place));
  return line;
}

function slotsDrawTools(own) {
  const tools = document.createDocumentFragment();
  if (own.length < SLOT_LETTERS.length) {
    slotsButton(tools, "slot-add", said("slots.add"), said("slots.add_label"), slotsAdd).id = "add-slot";
  }
  if (own.length > 1) slotsIcon(tools, "shuffle", said("slots.shuffle_label"), slotsShuffle);
  return tools;
}

// Whoever pressed a button by keyboard finds the same one, or its neighbour, under the fingers.
function slotsPut(place, content) {
  const focused = place.contains(document.activeElement) && document.activeElement.dataset.key;
  place.replaceChildren(content);
  if (!focused) return;
  const same = [...place.querySelectorAll("button")].find((one) => one.dataset.key === focused);
  (same || place.querySelector("button"))?.focus();
}

function slotsDraw() {
  const places = [...SLOT_LETTERS].map((one) => document.querySelector(`#own-${one.toLowerCase()}-root`));
  const tools = document.querySelector("#slot-tools-root");
  const row = document.querySelector("#models");
  if (!row || !tools || !places.every(Boolean)) return window.setTimeout(slotsDraw, SLOTS_RETRY_MS);
  const own = slotsOwn();
  row.dataset.slots = String(own.length);
  if (slotsDrawn === JSON.stringify(own)) return;
  slotsDrawn = JSON.stringify(own);
  places.forEach((place, number) => {
    slotsPut(place, number < own.length ? slotsDrawSlot(number, own) : "");
  });
  slotsPut(tools, slotsDrawTools(own));
}

// What is to be said of the form, each until it is put away; the values are keys and numbers.
function slotsSay(notes) {
  slotsNotes.replaceChildren();
  for (const { key, values, action } of notes) {
    const item = slotsNode("li", slotsNotes, "", said(key, values));
    if (action) slotsButton(item, "note-action", action.text, action.text, action.press);
    slotsButton(item, "note-close", "×", said("slots.put_away"), () => item.remove());
  }
}

function slotsTold() {
  slotsSay((props.value && props.value.notes) || []);
  slotsDraw();
  keptSoon();
}

window.addEventListener("comparator-chosen", () => {
  slotsDraw();
  keptSoon();
});
watch("value", slotsTold);
trigger("look");
slotsTold();
promptsDraw();
