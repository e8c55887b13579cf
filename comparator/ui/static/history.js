// The history: draws the list that the server sends, and takes what is done with it back.
// Events for the server: "find" and "more" with the words, "open", "rerun", "pin" and "remove" with
// an id, and "take_away" of export.js.

const HISTORY_SEARCH_MILLISECONDS = 250;
const historyRoot = element.querySelector("#history-root");
const historyExportRoot = element.querySelector("#history-export-root");
const historyBar = historyMake("div", historyRoot, "history-bar");
const historySearch = historyMake("input", historyBar, "library-search");
const historyCount = historyMake("span", historyBar, "history-count");
const historyTrouble = historyMake("p", historyRoot, "notice history-trouble");
const historyList = historyMake("ul", historyRoot, "history-list");
const historyEmpty = historyMake("div", historyRoot, "history-empty");
const historyMore = historyButton(historyRoot, "history.more", () => {
  const after = historyEntries[historyEntries.length - 1].place;
  trigger("more", { words: historyWords(), after });
});

let historyEntries = [];
let historyTyping = 0;

historySearch.type = "search";
historySearch.placeholder = said("history.search");
historySearch.setAttribute("aria-label", said("history.search_label"));
historySearch.addEventListener("input", () => {
  window.clearTimeout(historyTyping);
  historyTyping = window.setTimeout(historyFind, HISTORY_SEARCH_MILLISECONDS);
});
historyCount.setAttribute("role", "status");
historyTrouble.setAttribute("role", "status");
historyList.setAttribute("aria-label", said("history.list"));
historyMore.classList.add("history-more");
historyMore.hidden = true;

function historyMake(kind, parent, name) {
  const node = document.createElement(kind);
  if (name) node.className = name;
  if (parent) parent.append(node);
  return node;
}

function historyButton(parent, key, act) {
  const button = historyMake("button", parent, "library-button");
  button.type = "button";
  button.textContent = said(key);
  button.addEventListener("click", act);
  return button;
}

function historyWords() {
  return historySearch.value.trim();
}

function historyFind() {
  trigger("find", { words: historyWords() });
}

function historyDraw() {
  const view = props.value;
  if (!view || typeof view !== "object" || !view.entries) return;
  // The tab asks for everything when it is opened; a search that stands here goes on.
  if (view.words !== historyWords()) {
    if (view.words === "" && view.after === null) historyFind();
    return;
  }
  const last = historyEntries[historyEntries.length - 1];
  if (view.after === null) historyStart(view.entries);
  else if (last && String(last.place) === String(view.after)) historyGoOn(view.entries);
  historyMore.hidden = !view.more;
  historyTell(view);
}

function historyStart(entries) {
  const active = historyList.contains(document.activeElement) ? document.activeElement : null;
  const before = active && active.closest("li");
  const place = [...historyList.children].indexOf(before);
  historyEntries = [...entries];
  historyList.replaceChildren(...entries.map(historyRow));
  // What was pinned or deleted by the keyboard leaves the focus where it was, or beside it.
  if (!before) return;
  const same = historyList.querySelector(`li[data-id="${before.dataset.id}"]`);
  const row = same || historyList.children[Math.min(place, entries.length - 1)];
  const button = same?.querySelector(`[data-act="${active.dataset.act}"]`) || row?.querySelector("button");
  (button || historySearch).focus({ preventScroll: true });
}

function historyGoOn(entries) {
  historyEntries.push(...entries);
  historyList.append(...entries.map(historyRow));
}

function historyTell(view) {
  const count = historyEntries.length;
  historyCount.textContent = count
    ? said(view.more ? "history.shown_more" : "history.shown", { count }) : "";
  historyTrouble.textContent = inWords(view.trouble) || (view.on || !count ? "" : said("history.off"));
  historyEmpty.replaceChildren();
  if (count || view.trouble) return;
  if (historyWords()) historyMake("p", historyEmpty).textContent = said("history.nothing");
  else {
    historyMake("h2", historyEmpty).textContent = said("history.empty_title");
    historyMake("p", historyEmpty).textContent = said(view.on ? "history.empty" : "history.empty_off");
  }
}

function historyRow(entry) {
  const row = historyMake("li", null, "history-row");
  row.dataset.id = entry.id;
  row.dataset.pinned = String(entry.pinned);
  const main = historyMake("div", row, "history-main");
  const question = historyMake("button", main, "history-question");
  question.type = "button";
  question.dir = "auto";
  question.textContent = entry.question.trim() || said("history.no_question");
  question.setAttribute("aria-label", said("history.open_label", { question: question.textContent }));
  question.addEventListener("click", () => trigger("open", { id: entry.id }));
  const facts = historyMake("p", main, "history-facts");
  const when = historyMake("time", facts);
  const moment = new Date(entry.created * 1000);
  when.dateTime = moment.toISOString();
  when.textContent = moment.toLocaleString(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
  if (entry.pinned) historyMake("span", facts, "history-pinned").textContent = said("history.pinned");
  if (entry.parent) historyMake("span", facts).textContent = said("history.further");
  const columns = historyMake("p", main, "history-columns");
  for (const [name, state] of entry.columns) historyColumn(columns, name, state);
  historyActions(row, entry);
  return row;
}

function historyColumn(parent, name, state) {
  const column = historyMake("span", parent, "history-column");
  column.dataset.state = state;
  const model = historyMake("bdi", column);
  model.textContent = name;
  const key = `history.state_${state}`;
  const words = said(key);
  historyMake("span", column, "history-state").textContent = words === key ? state : words;
}

function historyActions(row, entry) {
  const actions = historyMake("div", row, "history-actions");
  const act = (name, more) => () =>
    trigger(name, { id: entry.id, words: historyWords(), shown: historyEntries.length, ...more });
  const again = historyButton(actions, "history.rerun", act("rerun"));
  again.title = said("history.rerun_title");
  const pin = historyButton(
    actions, entry.pinned ? "history.unpin" : "history.pin", act("pin", { pinned: !entry.pinned }),
  );
  pin.title = said("history.pin_title");
  pin.dataset.act = "pin";
  pin.setAttribute("aria-pressed", String(entry.pinned));
  const away = historyButton(actions, "history.take_away", () => historyTakeAway(row, entry, away));
  away.setAttribute("aria-expanded", "false");
  const remove = historyButton(actions, "history.remove", () => {
    const sure = historyMake("span", null, "history-sure");
    historyMake("span", sure).textContent = said("history.sure");
    historyButton(sure, "history.remove_now", act("remove")).dataset.action = "remove";
    const keep = historyButton(sure, "history.keep", () => {
      sure.replaceWith(remove);
      remove.focus();
    });
    remove.replaceWith(sure);
    keep.focus();
  });
}

// The menu that takes a comparison away stands in the row of that comparison, and goes again.
function historyTakeAway(row, { id, columns }, button) {
  const menu = historyExportRoot;
  const isOpen = row.contains(menu);
  for (const other of historyList.querySelectorAll("[aria-expanded]")) other.setAttribute("aria-expanded", "false");
  menu.remove();
  if (isOpen) return;
  drawExport(menu, { comparison: id, columns, badges: [] });
  row.append(menu);
  button.setAttribute("aria-expanded", "true");
}

watch("value", historyDraw);
historyDraw();
