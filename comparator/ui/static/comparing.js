// Ways to read the answers beside one another: the difference of a pair, their tokens, scrolling
// together, and one column at a time.

const LETTERS = "ABCD";
const LONG_BEGIN = 8; // letters

// A column in a list: by its letter, which is all that there is while names are hidden.
function letterAndName(slot, { name, blind }) {
  return blind ? LETTERS[slot] : `${LETTERS[slot]} · ${name}`;
}

// What stands in place of plain text in the modes "difference" and "tokens", and the line above the
// columns that says what is seen. Made anew only when what it is made of has changed.
class Marks {
  constructor(parent, onTokens) {
    this.onTokens = onTokens;
    this.line = make("div", parent, "marks-line");
    this.pair = make("span", this.line, "pair");
    this.selects = ["compare_first", "compare_second"].map((key) => this.buildSelect(key));
    this.words = make("span", this.line, "marks-words");
    this.go = makeButton(this.line, "go-parting", said("board.show_parting"), () => this.showParting());
    this.mode = "markdown";
    this.fresh();
  }

  buildSelect(key) {
    const select = make("select", this.pair);
    select.setAttribute("aria-label", said(`board.${key}`));
    select.addEventListener("change", () => this.choose());
    return select;
  }

  fresh() {
    this.chosen = null;
    this.made = null;
    this.names = null;
    this.asked = false;
  }

  setMode(mode, columns, views) {
    this.mode = mode;
    this.draw(columns, views);
  }

  draw(columns, views) {
    this.columns = columns;
    this.views = views;
    this.line.hidden = !["difference", "tokens"].includes(this.mode) || !columns.length;
    const key = this.key(columns);
    if (key === this.made) return;
    this.made = key;
    columns.forEach((column) => column.showMarked(null));
    this.pair.hidden = this.go.hidden = true;
    if (this.line.hidden) return;
    if (this.mode === "tokens") this.drawTokens();
    else this.drawDifference();
  }

  // What is shown hangs on this; a growing text changes it only when it is over.
  key(columns) {
    if (this.line.hidden) return this.mode;
    const parts = columns.map(({ text, attempt }, slot) => {
      const { state, tokens } = this.views[slot];
      const told = tokens === null ? "not kept" : tokens?.length;
      return [attempt, ACTIVE.includes(state) ? state : [state, text.length], told];
    });
    return JSON.stringify([this.mode, this.chosen, parts]);
  }

  drawTokens() {
    const over = this.views.every(({ state }) => !ACTIVE.includes(state));
    if (over && !this.asked) {
      this.asked = true;
      this.onTokens();
    }
    this.columns.forEach((column, slot) => {
      const { tokens } = this.views[slot];
      if (tokens) column.showMarked((root) => drawTokens(root, column.text, tokens));
    });
    const notKept = this.views.every(({ tokens }) => tokens === null);
    if (notKept) put(this.words, said("board.tokens_not_kept"));
    else put(this.words, tokensInWords(this.views) || said("board.tokens_wait"));
  }

  drawDifference() {
    const answered = this.views.flatMap(({ text }, slot) => (/\S/.test(text) ? [slot] : []));
    this.offer(answered);
    if (!window.Diff) return put(this.words, said("board.no_difference"));
    if (answered.length < 2) return put(this.words, said("board.compare_few"));
    const pair = this.chosen || answered.slice(0, 2);
    if (pair.some((slot) => ACTIVE.includes(this.views[slot].state))) {
      return put(this.words, said("board.compare_wait"));
    }
    const found = differenceOf(...pair.map((slot) => this.columns[slot].text));
    pair.forEach((slot, side) => this.columns[slot].showMarked((root) =>
      drawDifference(root, found.sides[side], found.parting)));
    this.go.hidden = found.parting < 0;
    return put(this.words, differenceInWords(found));
  }

  // The two lists of answers to choose from; with two answers there is nothing to choose.
  offer(answered) {
    this.pair.hidden = answered.length < 3;
    this.selects.forEach((select, side) => {
      const options = answered.map((slot) => {
        const option = make("option");
        option.value = String(slot);
        option.textContent = letterAndName(slot, this.views[slot]);
        return option;
      });
      select.replaceChildren(...options);
      const slot = (this.chosen || answered)[side];
      if (slot !== undefined) select.value = String(slot);
    });
  }

  choose() {
    this.chosen = this.selects.map((select) => Number(select.value));
    this.draw(this.columns, this.views);
  }

  showParting() {
    for (const { answer, marked } of this.columns) {
      const sign = marked.querySelector(".parting");
      if (sign) answer.scrollTop += sign.getBoundingClientRect().top
        - answer.getBoundingClientRect().top - answer.clientHeight / 3;
    }
  }
}

// Scrolling one answer scrolls the others by the same share, where that is switched on. Only what
// a person scrolls counts: a text that grows moves nothing but itself.
class Together {
  constructor(parent) {
    this.button = makeButton(parent, "scroll-together", said("board.scroll_together"), () => {
      this.isOn = !this.isOn;
      this.button.setAttribute("aria-pressed", String(this.isOn));
    });
    this.button.setAttribute("aria-pressed", "false");
    this.isOn = false;
    this.leader = null;
  }

  watch(columns) {
    this.columns = columns;
    for (const { answer } of columns) {
      for (const kind of ["pointerenter", "wheel", "touchstart", "keydown", "focus"]) {
        answer.addEventListener(kind, () => { this.leader = answer; }, { passive: true });
      }
      answer.addEventListener("scroll", () => this.follow(answer), { passive: true });
    }
  }

  follow(answer) {
    if (!this.isOn || answer !== this.leader) return;
    const room = answer.scrollHeight - answer.clientHeight;
    const share = room > 0 ? answer.scrollTop / room : 0;
    for (const { answer: other } of this.columns) {
      if (other !== answer) other.scrollTop = share * (other.scrollHeight - other.clientHeight);
    }
  }
}

// Names without the parts that all of them begin with, where there is little room: they would push
// out what tells the names apart. One that is all of that keeps its last part.
function shortNames(names) {
  const [first, ...others] = names;
  let count = 0;
  while (count < first.length && others.every((name) => name[count] === first[count])) count += 1;
  const lastPart = (text) => text.search(/[^\s._/-]*$/);
  const isPart = (name) => name.length === count || /[\s._/-]/.test(name[count]);
  const begin = names.every(isPart) ? count : lastPart(first.slice(0, count));
  if (!others.length || begin < LONG_BEGIN) return names;
  return names.map((name) => `…${name.slice(begin).replace(/^[\s._/-]+/, "") || name.slice(lastPart(name))}`);
}

// On a narrow screen one column fills it, and this row of names and states leads to the others.
class ColumnTabs {
  constructor(parent, grid) {
    this.grid = grid;
    this.row = make("div", parent, "column-tabs");
    this.row.setAttribute("role", "group");
    this.row.setAttribute("aria-label", said("board.columns"));
    this.buttons = [];
    grid.addEventListener("scroll", () => this.mark(), { passive: true });
  }

  fresh(count) {
    this.row.replaceChildren();
    this.buttons = Array.from({ length: count }, (_, slot) => {
      const button = makeButton(this.row, "", "", () => this.show(slot));
      button.nameNode = makeText("span", button, "tab-name");
      button.stateNode = make("span", button, "tab-state");
      return button;
    });
    this.row.hidden = count < 2;
    this.mark();
  }

  draw(views) {
    const names = shortNames(views.map(({ name }) => name));
    views.forEach((view, slot) => {
      const button = this.buttons[slot];
      put(button.nameNode, letterAndName(slot, { ...view, name: names[slot] }));
      button.title = view.name;
      put(button.stateNode, stateInWords(view));
      button.dataset.state = view.state;
    });
  }

  show(slot) {
    const column = this.grid.children[slot];
    this.grid.scrollTo({ left: column.offsetLeft - this.grid.offsetLeft, behavior: "instant" });
  }

  mark() {
    const width = this.grid.clientWidth || 1;
    const seen = Math.round(this.grid.scrollLeft / width);
    this.buttons.forEach((button, slot) =>
      button.setAttribute("aria-pressed", String(slot === seen)));
  }
}
