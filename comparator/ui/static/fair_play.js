// Whether the comparison was fair: view.fair_play, drawn once when every column has ended.
// Folded where all is well, open and marked where not; whoever folds or opens it is obeyed.

const FAIR_PLAY_LETTERS = "ABCD";
let fairPlayDrawn = "";
let fairPlayOpen = null; // what the reader chose; null before

function fairPlayNode(tag, parent, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// A text of this area where there is one, else what is said instead.
function fairPlaySaid(name, otherwise) {
  const key = `fair_play.${name}`;
  return key in TEXTS.en ? said(key) : otherwise;
}

function fairPlayValue(name, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) return value.map((one) => fairPlayValue(name, one)).join(said("fair_play.comma")) || "–";
  const words = fairPlaySaid(`value.${name}.${value}`, null);
  if (words !== null) return words;
  if (typeof value === "boolean") return said(value ? "fair_play.yes" : "fair_play.no");
  if (typeof value === "number") return new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 4, useGrouping: false }).format(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function fairPlayLetter(slot) {
  return FAIR_PLAY_LETTERS[slot] || String(slot + 1);
}

function drawFairPlay(root, view) {
  const found = view.fair_play;
  const mark = found ? JSON.stringify(found) : "";
  if (mark === fairPlayDrawn) return;
  fairPlayDrawn = mark;
  root.replaceChildren();
  if (!found) return;
  const panel = fairPlayNode("details", root, "panel fair-play");
  panel.dataset.fair = String(found.is_fair);
  panel.open = fairPlayOpen ?? !found.is_fair;
  fairPlayHead(panel, found);
  if (found.differences.length) fairPlayDifferences(panel, found);
  const slots = fairPlayNode("div", panel, "fair-play-slots");
  found.columns.forEach((column, slot) => fairPlaySlot(slots, column, slot));
}

function fairPlayHead(panel, found) {
  const head = fairPlayNode("summary", panel);
  head.addEventListener("click", () => { fairPlayOpen = !panel.open; });
  const sign = fairPlayNode("span", head, "fair-play-sign", found.is_fair ? "✓" : "!");
  sign.setAttribute("aria-hidden", "true");
  fairPlayNode("strong", head, "", said("fair_play.title"));
  fairPlayNode("span", head, "verdict", fairPlayVerdict(found));
}

function fairPlayVerdict(found) {
  if (found.is_fair) return said("fair_play.fair");
  const uneven = found.differences.filter((one) => one.verdict === "uneven").length;
  const changed = found.columns.flatMap((one) => one.settings)
    .filter((one) => one.state === "changed" && one.source === "given").length;
  const parts = [];
  if (uneven) parts.push(said(uneven === 1 ? "fair_play.one_uneven" : "fair_play.uneven", { count: uneven }));
  if (changed) parts.push(said(changed === 1 ? "fair_play.one_changed" : "fair_play.changed", { count: changed }));
  return parts.join(said("fair_play.and"));
}

// What is wider than a phone is scrolled in its frame, by keys as well.
function fairPlayFrame(parent, label) {
  const frame = fairPlayNode("div", parent, "frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", label);
  return frame;
}

function fairPlayDifferences(panel, found) {
  const table = fairPlayNode("table", fairPlayFrame(panel, said("fair_play.differences")));
  fairPlayNode("caption", table, "", said("fair_play.differences"));
  const head = fairPlayNode("tr", fairPlayNode("thead", table));
  fairPlayNode("th", head, "", said("fair_play.what")).scope = "col";
  found.columns.forEach((column, slot) => {
    const cell = fairPlayNode("th", head);
    cell.scope = "col";
    fairPlayNode("b", cell, "letter", fairPlayLetter(slot));
    cell.append(` ${column.name}`);
  });
  const body = fairPlayNode("tbody", table);
  for (const one of found.differences) {
    const row = fairPlayNode("tr", body);
    row.dataset.verdict = one.verdict;
    const what = fairPlayNode("th", row, "", fairPlaySaid(`name.${one.name}`, one.name));
    what.scope = "row";
    fairPlayNode("small", what, "meaning", said(`fair_play.verdict.${one.verdict}`));
    for (const value of one.values) fairPlayNode("td", row, "", fairPlayValue(one.name, value)).dir = "auto";
  }
}

function fairPlaySlot(parent, column, slot) {
  const fold = fairPlayNode("details", parent, "fair-play-slot");
  const head = fairPlayNode("summary", fold);
  fairPlayNode("b", head, "letter", fairPlayLetter(slot));
  fairPlayNode("span", head, "name", column.name);
  const changed = column.settings.filter((one) => one.state === "changed");
  for (const one of changed) fairPlayNode("span", head, "change", fairPlayChange(one));
  fairPlayContext(fold, column);
  fairPlaySettings(fold, column);
  fairPlayPrompt(fold, column);
}

// "n_ctx 16384 → 8192"
function fairPlayChange(one) {
  const asked = `${one.name} ${fairPlayAsked(one)}`;
  return one.taken === null ? asked : `${asked} → ${fairPlayValue(one.name, one.taken)}`;
}

function fairPlayAsked(one) {
  return one.asked === null ? said("fair_play.left_open") : fairPlayValue(one.name, one.asked);
}

function fairPlayContext(fold, column) {
  const prompt = column.prompt_tokens, context = column.context_tokens;
  if (prompt === null || context === null) return;
  const values = { context, prompt, answer: column.answer_tokens, left: column.tokens_left };
  fairPlayNode("p", fold, "context-words", said("fair_play.context", values));
  const bar = fairPlayNode("div", fold, "context-bar");
  bar.setAttribute("aria-hidden", "true"); // the words say it
  for (const [name, tokens] of [["of-prompt", prompt], ["of-answer", column.answer_tokens]]) {
    fairPlayNode("div", bar, name).style.width = `${Math.min(100, (100 * tokens) / context)}%`;
  }
}

function fairPlaySettings(fold, column) {
  const isUsual = (one) => one.state === "asked" && one.source === "default";
  const told = column.settings.filter((one) => !isUsual(one));
  const usual = column.settings.filter(isUsual);
  if (told.length) fairPlaySettingsTable(fold, told, said("fair_play.settings"));
  if (!usual.length) return;
  const more = fairPlayNode("details", fold, "usual");
  fairPlayNode("summary", more, "", said("fair_play.usual", { count: usual.length }));
  fairPlaySettingsTable(more, usual, said("fair_play.settings"));
}

function fairPlaySettingsTable(parent, settings, title) {
  const table = fairPlayNode("table", fairPlayFrame(parent, title));
  fairPlayNode("caption", table, "unseen", title);
  const head = fairPlayNode("tr", fairPlayNode("thead", table));
  for (const name of ["setting", "asked", "taken", "from"]) {
    fairPlayNode("th", head, "", said(`fair_play.${name}`)).scope = "col";
  }
  const body = fairPlayNode("tbody", table);
  for (const one of settings) {
    const row = fairPlayNode("tr", body);
    row.dataset.state = one.state;
    fairPlayNode("th", row, "", one.name).scope = "row";
    fairPlayNode("td", row, "", fairPlayAsked(one)).dir = "auto";
    const why = one.why ? said(`fair_play.why.${one.why}`) : "";
    const isKept = one.taken === null || one.state === "asked";
    const taken = isKept ? "" : fairPlayValue(one.name, one.taken);
    fairPlayNode("td", row, "", [taken, why].filter(Boolean).join(" · ") || said("fair_play.as_asked"));
    fairPlayNode("td", row, "", fairPlaySaid(`source.${one.source}`, one.source));
  }
}

function fairPlayPrompt(fold, column) {
  if (!column.pieces.length) return;
  fairPlayNode("h3", fold, "", said("fair_play.prompt"));
  fairPlayNode("p", fold, "note", [
    fairPlayValue("template", column.template),
    said("fair_play.chips"),
  ].join(" · "));
  const shown = fairPlayNode("pre", fold, "rendered");
  shown.tabIndex = 0;
  for (const [text, isSpecial] of column.pieces) {
    if (isSpecial) fairPlayNode("span", shown, "token-chip", text).title = said("fair_play.special");
    else shown.append(text);
  }
  if (column.left_out) fairPlayNode("p", fold, "note", said("fair_play.left_out", { count: column.left_out }));
}
