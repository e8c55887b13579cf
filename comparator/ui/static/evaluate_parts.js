// What the scripts of the Evaluate tab make their elements of, and the words for what they show.

// The sign of an answer in a line of the matrix, and what is drawn for it: never a colour alone.
const SIGNS = {
  ".": { key: "pending", mark: "·" },
  p: { key: "passed", mark: "✓" },
  m: { key: "missed", mark: "✗" },
  a: { key: "answered", mark: "●" },
  x: { key: "failed", mark: "!" },
};
const LETTERS = "ABCD";

function make(tag, parent, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function show(node, is) {
  if (node.hidden === is) node.hidden = !is;
}

// Text of strangers has its own reading direction.
function makeText(tag, parent, className, text) {
  const node = make(tag, parent, className, text);
  node.dir = "auto";
  return node;
}

function makeButton(parent, key, act, className = "library-button") {
  const button = make("button", parent, className, said(key));
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

// A field with its label above it.
function makeField(parent, key, field) {
  const label = make("label", parent, "evaluate-field");
  make("span", label, "", said(key));
  label.append(field);
  return field;
}

function makeOption(select, value, text) {
  const option = make("option", select, "", text);
  option.value = value;
  return option;
}

function makeSection(parent, name, key) {
  const section = make("section", parent, `evaluate-part ${name}`);
  const title = make("h2", section, "", said(key));
  title.id = `${name}-title`;
  section.setAttribute("aria-labelledby", title.id);
  return section;
}

function signWord(sign) {
  return said(`evaluate.sign_${SIGNS[sign].key}`); // pending, passed, missed, answered, failed
}

function momentWords(seconds) {
  const moment = new Date(seconds * 1000);
  return moment.toLocaleString(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
}

function durationWords(seconds) {
  if (seconds < 90) return said("evaluate.seconds", { count: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return said("evaluate.minutes", { count: Math.round(seconds / 60) });
  return said("evaluate.hours", { count: (seconds / 3600).toFixed(1) });
}

function percentWords(share) {
  return `${(100 * share).toLocaleString(LANGUAGE, { maximumFractionDigits: 0 })} %`;
}

function bytesWords(bytes) {
  const [size, unit] = bytes >= 1e9 ? [bytes / 1e9, "GB"] : [bytes / 1e6, "MB"];
  return `${size.toLocaleString(LANGUAGE, { maximumFractionDigits: size < 10 ? 1 : 0 })} ${unit}`;
}

function stateWords(state) {
  return said(`evaluate.state_${state}`); // waiting, running, stopping, done, interrupted
}

function stageWords(stage) { // "answering · SmolLM2", "judging · 40 %"
  const share = stage.percent === null ? "" : `${stage.percent} %`;
  return [said(`evaluate.stage_${stage.name}`), stage.of, share].filter(Boolean).join(" · ");
}

// What is not to be lost by a wrong click is asked once more, in the button's place.
function askTwice(button, key, act) {
  const sure = make("span", null, "history-sure");
  make("span", sure, "", said("evaluate.sure"));
  makeButton(sure, key, act).dataset.action = "remove";
  const keep = makeButton(sure, "evaluate.keep", () => {
    sure.replaceWith(button);
    button.focus();
  });
  button.replaceWith(sure);
  keep.focus();
}
