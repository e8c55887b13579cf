// The matrix of prompts and models: only the rows in sight are drawn, and of them what has changed.
// The grid itself keeps the focus; arrow keys move a mark in it, Enter opens the answer under it.

const ROW_PIXELS = 32;
const ROWS_AROUND = 6;
const FILTERS = ["all", "differ", "failed"];

class Matrix {
  constructor(parent, onOpen) {
    this.onOpen = onOpen;
    this.rows = []; // numbers of the prompts that the filters let through
    this.drawn = new Map(); // row elements by prompt number
    this.active = { row: 0, column: 0 }; // column -1 is the prompt itself
    this.lines = [];
    this.buildFilters(parent);
    this.grid = make("div", parent, "evaluate-grid");
    this.grid.tabIndex = 0;
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", said("evaluate.matrix"));
    this.head = make("div", make("div", this.grid, "evaluate-head"), "evaluate-row");
    this.head.parentElement.setAttribute("role", "rowgroup");
    this.head.setAttribute("role", "row");
    this.body = make("div", this.grid, "evaluate-body");
    this.body.setAttribute("role", "rowgroup");
    this.empty = make("p", parent, "notice", said("evaluate.nothing_matches"));
    this.legend = make("p", parent, "evaluate-legend");
    for (const [sign, { mark, key }] of Object.entries(SIGNS)) {
      const one = make("span", this.legend);
      make("span", one, "evaluate-sign", mark).dataset.sign = key;
      one.append(` ${signWord(sign)}`);
    }
    this.grid.addEventListener("scroll", () => this.drawRows());
    this.grid.addEventListener("keydown", (event) => this.pressed(event));
    this.grid.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.drawRows()).observe(this.grid);
  }

  buildFilters(parent) {
    const bar = make("div", parent, "evaluate-filters");
    this.filter = makeField(bar, "evaluate.filter", make("select", null));
    for (const name of FILTERS) makeOption(this.filter, name, said(`evaluate.filter_${name}`)); // all, differ, failed
    this.tag = makeField(bar, "evaluate.tag", make("select", null));
    this.words = makeField(bar, "evaluate.words", make("input", null, "library-search"));
    this.words.type = "search";
    this.count = make("span", bar, "evaluate-shown");
    this.count.setAttribute("role", "status");
    for (const field of [this.filter, this.tag]) field.addEventListener("change", () => this.sift());
    this.words.addEventListener("input", () => this.sift());
  }

  open(opened) {
    this.opened = opened;
    this.lines = [];
    this.rows = [];
    this.drawn.clear();
    this.body.replaceChildren();
    this.active = { row: 0, column: 0 };
    this.filter.value = "all";
    this.words.value = "";
    this.tag.replaceChildren();
    makeOption(this.tag, "", said("evaluate.any_tag"));
    const tags = new Set(opened.prompts.flatMap(([, , own]) => own));
    for (const tag of [...tags].sort()) makeOption(this.tag, tag, tag);
    show(this.tag.parentElement, tags.size > 0);
    this.grid.style.setProperty("--slots", String(opened.columns.length));
    this.head.replaceChildren();
    for (const words of [said("evaluate.prompt"), ...opened.columns.map((label, place) => `${LETTERS[place] || place + 1} ${label}`)]) {
      const cell = makeText("div", this.head, "", words);
      cell.setAttribute("role", "columnheader");
      cell.title = words;
    }
    this.grid.setAttribute("aria-colcount", String(opened.columns.length + 1));
    this.grid.scrollTop = 0;
  }

  take(lines) {
    this.lines = lines;
    this.sift();
  }

  signs(prompt, slot) {
    const first = 1 + slot * this.opened.repeats;
    return (this.lines[prompt] || "").slice(first, first + this.opened.repeats);
  }

  isIn(prompt) {
    const line = this.lines[prompt] || "";
    const [id, question, tags] = this.opened.prompts[prompt];
    if (this.filter.value === "differ" && line[0] !== "d") return false;
    if (this.filter.value === "failed" && !/[mx]/.test(line.slice(1))) return false;
    if (this.tag.value && !tags.includes(this.tag.value)) return false;
    const text = `${id} ${question}`.toLowerCase();
    return this.words.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  sift() {
    if (!this.opened) return;
    const numbers = this.opened.prompts.map((_, prompt) => prompt);
    this.rows = numbers.filter((prompt) => this.isIn(prompt));
    this.active.row = Math.max(0, Math.min(this.active.row, this.rows.length - 1));
    const height = `${this.rows.length * ROW_PIXELS}px`;
    if (this.body.style.height !== height) this.body.style.height = height;
    this.grid.setAttribute("aria-rowcount", String(this.rows.length + 1));
    put(this.count, said("evaluate.shown", { count: this.rows.length, total: numbers.length }));
    show(this.empty, !this.rows.length);
    show(this.grid, this.rows.length > 0);
    this.drawRows();
  }

  drawRows() {
    if (!this.opened || !this.rows.length) return;
    const top = this.grid.scrollTop;
    const first = Math.max(0, Math.floor(top / ROW_PIXELS) - ROWS_AROUND);
    const count = Math.ceil((this.grid.clientHeight || 400) / ROW_PIXELS) + 2 * ROWS_AROUND;
    const last = Math.min(this.rows.length, first + count);
    const wanted = new Map();
    for (let row = first; row < last; row += 1) wanted.set(this.rows[row], row);
    for (const [prompt, node] of this.drawn) {
      if (wanted.has(prompt) && node.dataset.suite === this.opened.id) continue;
      node.remove();
      this.drawn.delete(prompt);
    }
    for (const [prompt, row] of wanted) this.drawRow(prompt, row);
    this.mark();
  }

  drawRow(prompt, row) {
    let node = this.drawn.get(prompt);
    if (!node) {
      node = this.makeRow(prompt);
      this.drawn.set(prompt, node);
    }
    if (node.dataset.row !== String(row)) {
      node.dataset.row = String(row);
      node.style.top = `${row * ROW_PIXELS}px`;
      node.setAttribute("aria-rowindex", String(row + 2));
    }
    const line = this.lines[prompt] || "";
    if (node.dataset.line === line) return;
    node.dataset.line = line;
    this.opened.columns.forEach((_, slot) => this.drawCell(node.children[slot + 1], prompt, slot));
  }

  makeRow(prompt) {
    const node = make("div", this.body, "evaluate-row");
    node.setAttribute("role", "row");
    node.dataset.suite = this.opened.id;
    node.dataset.prompt = String(prompt);
    const [id, question] = this.opened.prompts[prompt];
    const head = makeText("div", node, "evaluate-prompt", question || id);
    head.setAttribute("role", "rowheader");
    head.title = `${id}: ${question}`;
    head.id = `evaluate-cell-${prompt}--1`;
    head.dataset.slot = "-1";
    for (let slot = 0; slot < this.opened.columns.length; slot += 1) {
      const cell = make("div", node, "evaluate-cell");
      cell.setAttribute("role", "gridcell");
      cell.dataset.slot = String(slot);
      cell.id = `evaluate-cell-${prompt}-${slot}`;
    }
    return node;
  }

  drawCell(cell, prompt, slot) {
    const signs = this.signs(prompt, slot);
    if (cell.dataset.signs === signs) return;
    cell.dataset.signs = signs;
    cell.replaceChildren();
    for (const [sign, count] of counted(signs)) {
      const { key, mark } = SIGNS[sign];
      const words = count > 1 || signs.length > 1 ? `${mark}${count}` : mark;
      make("span", cell, "evaluate-sign", words).dataset.sign = key;
    }
    const words = counted(signs).map(([sign, count]) => (signs.length > 1 ? `${count} ${signWord(sign)}` : signWord(sign)));
    cell.setAttribute("aria-label", `${this.opened.columns[slot]}: ${words.join(", ")}`);
  }

  mark() {
    const prompt = this.rows[this.active.row];
    const id = `evaluate-cell-${prompt}-${this.active.column}`;
    for (const old of this.body.querySelectorAll(".is-active")) if (old.id !== id) old.classList.remove("is-active");
    const cell = this.body.querySelector(`#${id}`);
    if (cell) {
      cell.classList.add("is-active");
      this.grid.setAttribute("aria-activedescendant", id);
    } else this.grid.removeAttribute("aria-activedescendant");
  }

  go(row, column) {
    this.active.row = Math.max(0, Math.min(row, this.rows.length - 1));
    this.active.column = Math.max(-1, Math.min(column, this.opened.columns.length - 1));
    const top = this.active.row * ROW_PIXELS;
    const room = this.grid.clientHeight - this.head.parentElement.offsetHeight;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + ROW_PIXELS > this.grid.scrollTop + room) this.grid.scrollTop = top + ROW_PIXELS - room;
    this.drawRows();
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.rows.length) return;
    const { row, column } = this.active;
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW_PIXELS) - 2);
    const moves = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      PageUp: [row - page, column], PageDown: [row + page, column],
      Home: [0, column], End: [this.rows.length - 1, column],
    };
    if (moves[event.key]) this.go(...moves[event.key]);
    else if (event.key === "Enter") this.openActive();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  clicked(event) {
    const cell = event.target instanceof Element && event.target.closest(".evaluate-body [data-slot]");
    if (!cell) return;
    const prompt = Number(cell.parentElement.dataset.prompt);
    this.active = { row: this.rows.indexOf(prompt), column: Number(cell.dataset.slot) };
    this.mark();
    this.openActive();
  }

  openActive() {
    this.onOpen(this.rows[this.active.row], this.active.column);
  }
}

// How often each sign stands in a line, in the order of SIGNS.
function counted(signs) {
  return Object.keys(SIGNS)
    .map((sign) => [sign, [...signs].filter((one) => one === sign).length])
    .filter(([, count]) => count);
}
