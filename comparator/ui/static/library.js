// The library's table: draws the rows that the server sends; sorts, filters and searches them here.
// Events for the server: "rescan", "look" with an id, and "compare", "ladder", "quantise" and
// "remove" with the ids of the rows that are meant.

const LOOK_MILLISECONDS = 120;
const ROW_PIXELS = 32; // as in library.css: rows out of sight are not drawn, so that 1000 stay quick
const SPARE_ROWS = 12;
const LETTERS_A_PIXEL = 0.24; // that two lines hold, with room to break them; more are smaller
const root = element.querySelector("#library-root");
make("h2", root, "unseen").textContent = said("library.table");
const bar = make("div", root, "library-bar");
const search = make("input", bar, "library-search");
const filters = make("div", bar, "library-filters");
const count = make("span", bar, "library-count");
const rescan = make("button", bar, "library-button");
const frame = make("div", root, "library-frame");
frame.tabIndex = -1;
frame.addEventListener("scroll", () => drawWindow(), { passive: true });
new ResizeObserver(() => drawWindow()).observe(frame);
const grid = make("table", frame);
const head = make("thead", grid);
const body = make("tbody", grid);
const above = space();
const below = space();
const empty = make("p", frame, "hint");
const actions = make("div", root, "library-actions");
const apart = make("div", root, "library-apart");

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const lines = new Map(); // by id: the row's view, its text in small letters, its element if drawn
const chosen = new Set();
let columns = [];
let order = []; // the lines that are wanted, as they stand one below the other
let sorted = { place: 0, down: false, byHand: false };
let active = null;
let mostCompared = 4;
let looking = 0;

search.type = "search";
search.placeholder = said("library.search");
search.setAttribute("aria-label", said("library.search_label"));
search.addEventListener("input", () => arrange(true));
count.setAttribute("role", "status");
rescan.type = "button";
rescan.textContent = said("library.rescan");
rescan.addEventListener("click", () => trigger("rescan", {}));
grid.setAttribute("role", "grid");
grid.setAttribute("aria-multiselectable", "true");
grid.setAttribute("aria-label", said("library.table"));

const buttons = {
  compare: action("compare", said("library.compare"), (ids) =>
    ids.length <= mostCompared ? "" : said("library.most_compared", { count: mostCompared })),
  ladder: action("ladder", said("library.ladder"), (ids) =>
    one(ids) || (familyOf(ids[0]).length > 1 ? "" : said("library.only_one_of_family"))),
  quantise: action("quantise", said("library.quantise"), (ids) =>
    one(ids) || (cell(ids[0], "engine") === "GGUF" ? "" : said("library.only_gguf"))),
  remove: action("remove", said("library.remove"), () => ""),
};
const clear = make("button", actions, "library-button library-clear");
clear.type = "button";
clear.textContent = said("library.select_none");
clear.addEventListener("click", () => {
  for (const id of [...chosen]) choose(id, false);
});

const note = make("span", actions, "library-note");
note.setAttribute("role", "status");

function make(kind, parent, name) {
  const node = document.createElement(kind);
  if (name) node.className = name;
  if (parent) parent.append(node);
  return node;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A button that says why it cannot be used now; that is asked anew whenever the selection changes.
function action(name, words, why) {
  const button = make("button", actions, "library-button");
  button.type = "button";
  button.textContent = words;
  button.dataset.action = name;
  button.why = () => (subjects().length ? why(subjects()) : said("library.select_first"));
  button.addEventListener("click", () => {
    const reason = button.why();
    put(note, reason);
    if (!reason) trigger(name, { ids: subjects() });
  });
  return button;
}

function one(ids) {
  return ids.length === 1 ? "" : said("library.select_one");
}

// The rows that an action means: the selected ones, or the one that is looked at.
function subjects() {
  const ids = [...chosen].filter((id) => lines.has(id));
  if (ids.length) return ids;
  return active && lines.has(active) ? [active] : [];
}

function placeOf(key) {
  return columns.findIndex((column) => column[0] === key);
}

function textOf(value) {
  return Array.isArray(value) ? value[1] : value;
}

// What stands in a cell for people: the words of these columns are few and have texts.
function wordOf(key, value) {
  if (key === "fit" && value) return said(`library.fit_${value}`);
  if (key === "kind" && value) return said(`library.kind_${value}`);
  if (key === "source" && value === "folder") return said("library.source_folder");
  return value;
}

function cell(id, key) {
  return textOf(lines.get(id).view.cells[placeOf(key)]);
}

function familyOf(id) {
  const family = cell(id, "family");
  return family ? [...lines.keys()].filter((other) => cell(other, "family") === family) : [];
}

function draw() {
  const view = props.value;
  if (!view || typeof view !== "object" || !view.columns) return;
  const others = JSON.stringify(columns) !== JSON.stringify(view.columns);
  if (others) drawHead(view);
  drawRows(view.rows, others);
  mostCompared = view.most;
  for (const name of ["quantise", "remove"]) buttons[name].hidden = !view.own;
  drawFilters(view.filters);
  drawApart(view);
  arrange(!view.missing || others);
}

function drawHead(view) {
  columns = view.columns;
  const group = grid.querySelector("colgroup") || document.createElement("colgroup");
  grid.prepend(group);
  group.replaceChildren();
  for (const width of [34, ...columns.map((column) => column[2])]) {
    make("col", group).style.width = `${width}px`;
  }
  // One column more would take all the room that is left.
  for (const space of [above, below]) space.firstChild.colSpan = columns.length + 1;
  grid.style.minWidth = `${columns.reduce((sum, column) => sum + column[2], 34)}px`;
  const line = document.createElement("tr");
  make("span", make("th", line), "unseen").textContent = said("library.picked");
  columns.forEach(([key, numeric], place) => {
    const top = make("th", line, numeric ? "number" : "");
    top.scope = "col";
    const button = make("button", top);
    button.type = "button";
    button.textContent = said(`library.column_${key}`);
    button.addEventListener("click", () => sortBy(place, numeric));
  });
  head.replaceChildren(line);
}

function sortBy(place, numeric) {
  const down = sorted.place === place && sorted.byHand ? !sorted.down : numeric;
  sorted = { place, down, byHand: true };
  arrange(true);
}

function drawRows(rows, anew) {
  const known = new Set(rows.map((row) => row.id));
  for (const id of [...lines.keys()]) if (!known.has(id)) forget(id);
  for (const row of rows) {
    const mark = JSON.stringify(row);
    let line = lines.get(row.id);
    if (!line) lines.set(row.id, (line = { node: null }));
    if (line.mark === mark && !anew) continue;
    Object.assign(line, { mark, view: row, text: textToSearch(row) });
    if (line.node) drawCells(line, row);
  }
}

// As it is and as people read it.
function textToSearch(row) {
  const words = row.cells.map((value, place) => {
    const [text, shown] = [textOf(value), wordOf(columns[place][0], textOf(value))];
    return shown === text ? text : `${text} ${shown}`;
  });
  return words.join(" ").toLowerCase();
}

function nodeOf(line) {
  if (line.node) return line.node;
  const { id } = line.view;
  line.node = document.createElement("tr");
  line.node.dataset.id = id;
  line.node.tabIndex = -1;
  line.node.setAttribute("aria-selected", String(chosen.has(id)));
  line.node.classList.toggle("active", id === active);
  line.box = make("input", make("td", line.node, "pick"));
  line.box.type = "checkbox";
  line.box.tabIndex = -1;
  line.box.checked = chosen.has(id);
  line.box.addEventListener("change", () => choose(id, line.box.checked));
  line.node.addEventListener("click", (event) => {
    if (event.target !== line.box) activate(id, true);
  });
  line.cells = [];
  drawCells(line, line.view);
  return line.node;
}

function drawCells(line, row) {
  line.isFitted = false;
  line.box.setAttribute("aria-label", said("library.pick", { name: textOf(row.cells[0]) }));
  while (line.cells.length > row.cells.length) line.cells.pop().remove();
  row.cells.forEach((value, place) => {
    const node = line.cells[place] || (line.cells[place] = make("td", line.node));
    const [key, numeric, width] = columns[place];
    const text = node.firstChild || make("span", node);
    node.className = numeric ? "number" : key;
    node.classList.toggle("long", !numeric && textOf(value).length > width * LETTERS_A_PIXEL);
    put(text, wordOf(key, textOf(value)));
    node.title = key === "fit" ? row.why : textOf(value);
    if (key === "fit") node.dataset.fit = textOf(value);
  });
}

function forget(id) {
  lines.get(id).node?.remove();
  lines.delete(id);
  chosen.delete(id);
  if (active === id) active = null;
}

function isWanted(line, words, wanted) {
  return words.every((word) => line.text.includes(word))
    && wanted.every(([place, value]) => textOf(line.view.cells[place]) === value);
}

// What is called exactly so comes first: "Q8_0" means that quantisation, not a part of a name.
function isExact(line, words) {
  return line.view.cells.some((value) => words.includes(textOf(value).toLowerCase()));
}

// Show the rows that are wanted. They are sorted when a person asks for it and when all facts are
// here; in between each keeps its place, so that nothing moves under the pointer.
function arrange(sort) {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = [...filters.querySelectorAll("select")]
    .filter((list) => list.value && placeOf(list.dataset.key) >= 0)
    .map((list) => [placeOf(list.dataset.key), list.value]);
  const found = [...lines.values()].filter((line) => isWanted(line, words, wanted));
  if (sort && sorted.byHand) found.sort(compareLines);
  else if (sort && words.length) found.sort((one, other) => isExact(other, words) - isExact(one, words));
  else if (!sort) keepOrder(found);
  order = found;
  grid.setAttribute("aria-rowcount", String(order.length + 1));
  drawWindow();
  const all = said(`library.count_${lines.size === 1 ? "one" : "many"}`, { count: lines.size });
  put(count, order.length === lines.size ? all : said("library.count_of", { found: order.length, all }));
  const missing = props.value?.missing;
  if (missing) count.append(said("library.reading", { count: missing }));
  drawEmpty();
  drawSorting();
  drawActions();
}

// A table without lines says what to do.
function drawEmpty() {
  const next = said(props.value?.own ? "library.empty_next" : "library.empty_public");
  const none = `${said("library.empty")} ${next}`;
  put(empty, order.length ? "" : lines.size ? said("library.none_found") : none);
}

// Put the rows that are in sight into the table, between two spaces as high as all others.
function drawWindow() {
  const first = Math.max(0, Math.floor(frame.scrollTop / ROW_PIXELS) - SPARE_ROWS);
  const last = Math.min(order.length, first + Math.ceil(frame.clientHeight / ROW_PIXELS) + 2 * SPARE_ROWS);
  const nodes = order.slice(first, last).map((line, place) => {
    nodeOf(line).setAttribute("aria-rowindex", String(first + place + 2));
    return line.node;
  });
  const before = [...body.children].slice(1, -1);
  above.firstChild.style.height = `${first * ROW_PIXELS}px`;
  below.firstChild.style.height = `${(order.length - last) * ROW_PIXELS}px`;
  if (before.length !== nodes.length || nodes.some((node, place) => node !== before[place])) {
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    body.replaceChildren(above, ...nodes, below);
    if (focused) (focused.isConnected ? focused : frame).focus({ preventScroll: true });
  }
  fitNames(order.slice(first, last));
  setStop();
}

// A name that its cell would cut is written smaller; the whole of it is in the row's details too.
function fitNames(drawn) {
  if (!frame.clientHeight) return; // of a tab that is not shown nothing can be measured
  const anew = drawn.filter((line) => !line.isFitted);
  const texts = anew.flatMap((line) => [...line.node.querySelectorAll("td:not(.number) > span")]);
  for (const size of ["long", "longest"]) {
    const cut = texts.filter((text) => text.scrollHeight > text.clientHeight + 1);
    for (const text of cut) text.parentElement.classList.add(size);
  }
  for (const line of anew) line.isFitted = true;
}

function space() {
  const node = document.createElement("tr");
  node.className = "space";
  node.setAttribute("aria-hidden", "true");
  make("td", node);
  return node;
}

function keepOrder(found) {
  const before = new Map(order.map((line, place) => [line, place]));
  const place = (line) => before.get(line) ?? Infinity;
  found.sort((one, other) => (place(one) === place(other) ? 0 : place(one) - place(other)));
}

// What is not known comes last, whichever way round.
function compareLines(one, other) {
  const [a, b] = [one, other].map((line) => line.view.cells[sorted.place])
    .map((value) => (Array.isArray(value) ? value[0] : value.toLowerCase()));
  const [noA, noB] = [a === null || a === "", b === null || b === ""];
  if (noA || noB) return noA - noB;
  const order = typeof a === "number" ? a - b : collator.compare(a, b);
  return sorted.down ? -order : order;
}

function drawSorting() {
  [...head.querySelectorAll("th[scope]")].forEach((top, place) => {
    const on = sorted.byHand && sorted.place === place;
    top.setAttribute("aria-sort", on ? (sorted.down ? "descending" : "ascending") : "none");
  });
}

function drawActions() {
  for (const button of Object.values(buttons)) {
    const reason = button.why();
    button.setAttribute("aria-disabled", String(Boolean(reason)));
    button.title = reason;
  }
  clear.hidden = !chosen.size;
  const seen = new Set(order.map((line) => line.view.id));
  const hidden = [...chosen].filter((id) => !seen.has(id)).length;
  const words = `library.selected${hidden ? "_unseen" : ""}`;
  put(note, chosen.size ? said(words, { count: chosen.size, hidden }) : "");
}

function choose(id, on) {
  const line = lines.get(id);
  if (!line) return;
  if (on) chosen.add(id);
  else chosen.delete(id);
  if (line.node) {
    line.box.checked = on;
    line.node.setAttribute("aria-selected", String(on));
  }
  drawActions();
}

function activate(id, focus) {
  lines.get(active)?.node?.classList.remove("active");
  active = id;
  const line = lines.get(id);
  bringIntoSight(order.indexOf(line));
  nodeOf(line).classList.add("active");
  setStop();
  if (focus) line.node.focus({ preventScroll: true });
  window.clearTimeout(looking);
  looking = window.setTimeout(() => trigger("look", { id }), LOOK_MILLISECONDS);
  drawActions();
}

function bringIntoSight(place) {
  const top = place * ROW_PIXELS;
  const room = frame.clientHeight - head.offsetHeight - ROW_PIXELS;
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (top > frame.scrollTop + room) frame.scrollTop = top - room;
  drawWindow();
}

// Exactly one row can be reached by the Tab key: the one looked at, or the first in sight.
function setStop() {
  const node = lines.get(active)?.node;
  const stop = node?.isConnected ? node : body.querySelector("tr:not(.space)");
  for (const other of body.querySelectorAll("tr[tabindex='0']")) if (other !== stop) other.tabIndex = -1;
  if (stop) stop.tabIndex = 0;
}

frame.addEventListener("keydown", (event) => {
  if (head.contains(event.target) || !order.length) return;
  const line = lines.get(event.target.closest("tr")?.dataset.id ?? active);
  const here = Math.max(0, order.indexOf(line));
  const page = Math.max(1, Math.floor(frame.clientHeight / ROW_PIXELS) - 2);
  const goals = {
    ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page,
    Home: 0, End: order.length - 1, Enter: here,
  };
  if (event.key === " ") choose(order[here].view.id, !chosen.has(order[here].view.id));
  else if (!(event.key in goals)) return;
  else activate(order[Math.min(order.length - 1, Math.max(0, goals[event.key]))].view.id, true);
  event.preventDefault();
});

watch("value", draw);
draw();
