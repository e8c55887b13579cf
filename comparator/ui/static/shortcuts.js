// Every key that the page listens to, in the order of its list, and what those do that are not the
// board's own. None of them takes a key from the browser, and none does anything while one types.

const SHORTCUTS = [
  { keys: ["Enter"], text: "page.key_run" }, // these three are in board.js
  { keys: ["Shift", "Enter"], together: true, text: "page.key_line" },
  { keys: ["Esc"], text: "page.key_stop" },
  { keys: ["/"], text: "page.key_prompt", act: goToPrompt },
  { keys: ["1", "2", "3", "4"], text: "page.key_column", act: goToColumn },
  { keys: ["a", "b", "c", "d"], text: "blind.key_answer", act: voteByKey },
  { keys: ["0"], text: "blind.key_tie", act: () => voteByKey("tie") },
  { keys: ["x"], text: "blind.key_both_bad", act: () => voteByKey("both_bad") },
  { keys: ["n"], text: "page.key_next", act: () => goToTab(1) },
  { keys: ["p"], text: "page.key_previous", act: () => goToTab(-1) },
  { keys: ["?"], text: "page.key_list", act: () => openHelp() },
];

function tabButtons() {
  return [...document.querySelectorAll("#tabs [role='tablist'] [role='tab']")];
}

function goToTab(step) {
  const tabs = tabButtons();
  const here = tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  const next = tabs[(here + step + tabs.length) % tabs.length];
  next?.click();
  next?.focus();
}

// Calls back when the first tab is open, in which the question and the answers are.
function inFirstTab(act) {
  const [first] = tabButtons();
  if (first && first.getAttribute("aria-selected") !== "true") first.click();
  requestAnimationFrame(() => requestAnimationFrame(act));
}

function goToPrompt() {
  inFirstTab(() => document.querySelector("#prompt textarea")?.focus());
}

function goToColumn(key) {
  inFirstTab(() => {
    const answer = document.querySelector(`.reply[data-slot="${Number(key) - 1}"] .answer`);
    answer?.focus();
    answer?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

// Only while the names are hidden: there a vote is what the page waits for, and a slip costs least.
function voteByKey(key) {
  const row = document.querySelector(".vote-row.blind");
  const button = row?.querySelector(`[data-answer="${key.length === 1 ? key.toUpperCase() : key}"]`);
  if (button?.checkVisibility()) button.click();
}

function isTyping(event) {
  const field = event.target instanceof Element
    && event.target.closest("input, textarea, select, [contenteditable]");
  return field && !["checkbox", "radio", "button"].includes(field.type);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.defaultPrevented || isTyping(event) || document.querySelector("dialog[open]")) return;
  if (!remembered("keys")) return;
  const shortcut = SHORTCUTS.find((one) => one.act && one.keys.includes(event.key));
  if (!shortcut) return;
  event.preventDefault(); // or the key would be written where it leads to
  shortcut.act(event.key);
}

document.addEventListener("keydown", pressed);
