// One column of the board: a model's name, its state in words, its answer and its figures.

const ACTIVE = ["waiting", "starting", "loading", "reading the prompt", "writing"];
const LONG_NAME = 48; // letters
const AGAIN = ["failed", "stopped"];

class Column {
  // `actions` has what the column's buttons do: stop, retry, regenerate, goOn and widen are given
  // its number, edit is given a turn's number and its question.
  constructor(slot, actions = {}) {
    this.slot = slot;
    this.actions = actions;
    this.attempt = 0;
    this.text = "";
    this.thought = "";
    this.drawn = {};
    this.root = make("section", null, "reply");
    this.root.dataset.slot = String(slot);
    this.buildHead();
    this.error = makeText("p", this.root, "error");
    this.notice = makeText("p", this.root, "notice");
    this.fallbacks = make("div", this.root, "fallbacks");
    this.buildThinking();
    this.buildAnswer();
    this.numbers = make("dl", this.root, "numbers");
    this.details = make("div", this.root, "evidence");
  }

  buildHead() {
    const head = make("header", this.root);
    const line = make("div", head, "title");
    const tools = make("div", line, "tools");
    this.name = makeText("h2", line);
    this.copy = makeSign(tools, "copy", "", () => copyFrom(this.copy, this.text));
    this.wide = makeSign(tools, "widen", "", () => this.act("widen"));
    this.stop = this.buildButton(tools, "stop", "stop");
    this.retry = this.buildButton(tools, "retry", "retry");
    this.regenerate = makeSign(tools, "regenerate-column", "", () => this.act("regenerate"));
    this.regenerate.hidden = true;
    const second = make("div", head, "subtitle");
    this.kind = make("span", second, "kind");
    this.state = make("span", second, "state");
    this.bar = make("div", head, "bar");
    this.bar.setAttribute("aria-hidden", "true");
    this.fill = make("div", this.bar);
  }

  // What a model thinks before it answers: folded, so that it never stands in an answer's way, and
  // there only where it thinks.
  buildThinking() {
    this.thinking = make("details", null, "thinking");
    this.thinkingWords = make("summary", this.thinking);
    this.thoughtRoot = makeText("pre", this.thinking);
    this.thoughtRoot.tabIndex = 0;
  }

  // The conversation: what was said before, and the answer that is written now.
  buildAnswer() {
    this.answer = make("div", this.root, "answer");
    this.answer.tabIndex = 0;
    this.answer.setAttribute("role", "group");
    this.turns = new Turns(this.answer, (turn, question) => this.actions.edit?.(turn, question));
    this.markdownRoot = makeText("div", this.answer, "markdown");
    this.plainRoot = makeText("pre", this.answer, "plain");
    this.marked = makeText("pre", this.answer, "marked");
    this.marked.hidden = true;
    this.cut = make("p", this.answer, "notice cut");
    this.cutWords = make("span", this.cut);
    this.goOn = this.buildButton(this.cut, "continue", "goOn");
    this.markdown = new MarkdownView(this.markdownRoot, (draw) => this.keepingAtEnd(draw));
  }

  buildButton(parent, name, action) {
    const words = said(`board.${name}`);
    const button = makeButton(parent, `${name}-column`, words, () => this.act(action));
    button.hidden = true;
    return button;
  }

  act(action) {
    this.actions[action]?.(this.slot);
  }

  // Which of the buttons are there; a keyboard stays where it was when they change places.
  drawButtons(view) {
    const active = ACTIVE.includes(view.state);
    const changing = [this.stop, this.retry, this.regenerate];
    const focused = changing.find((button) => button === document.activeElement);
    this.stop.hidden = !active || Boolean(view.blind); // one that stops early would be known
    const again = AGAIN.includes(view.state);
    this.retry.hidden = !again || Boolean(view.reopened || view.blind); // what is kept is asked anew
    this.regenerate.hidden = view.blind || !(view.state === "done" || (again && view.reopened && !view.left_out));
    this.copy.hidden = active || !view.text;
    this.nameButtons(view.name);
    if (focused?.hidden) [...changing, this.answer].find((node) => !node.hidden).focus();
  }

  nameButtons(name) {
    if (this.named === name) return;
    this.named = name;
    for (const key of ["stop", "retry", "regenerate"]) {
      nameSign(this[key], said(`board.${key}_column`, { name }));
    }
    nameSign(this.goOn, said("board.continue_column", { name }));
    nameSign(this.copy, said("board.copy", { name }));
    this.answer.setAttribute("aria-label", said("board.answer_of", { name }));
    this.root.setAttribute("aria-label", name);
    put(this.name, name);
    this.name.title = name;
    this.name.classList.toggle("long", name.length > LONG_NAME);
    this.setWide(false);
  }

  setWide(isWide) {
    this.wide.setAttribute("aria-pressed", String(isWide));
    nameSign(this.wide, said(isWide ? "board.narrow" : "board.widen", { name: this.named }));
  }

  // Begin anew, for another attempt at the same question.
  clear(attempt) {
    this.attempt = attempt;
    this.thinking.open = false;
    this.clearText();
  }

  clearText() {
    this.text = "";
    this.markdown.clear();
    this.plainRoot.replaceChildren();
    this.showMarked(null);
  }

  // Draw a view, which is whole: when its state is "done", all of its text is there. One that is
  // as the last was is not drawn: of several columns often a single one has something new.
  draw(view) {
    if (!this.isNews(view)) return;
    if (view.attempt !== this.attempt) this.clear(view.attempt);
    const over = !ACTIVE.includes(view.state);
    this.turns.draw(view);
    this.root.toggleAttribute("data-turns", Boolean(view.turns?.length || view.reopened || view.asked_on));
    put(this.kind, view.kind);
    put(this.state, stateInWords(view));
    this.root.dataset.attempt = String(view.attempt);
    this.drawButtons(view);
    this.bar.dataset.busy = view.share === null ? view.state : "share";
    this.fill.style.width = view.share === null ? "" : `${Math.round(view.share * 100)}%`;
    put(this.error, view.missing ? said("blind.no_answer") : inWords(view.error));
    put(this.notice, inWords(view.notice));
    this.drawChanged("fallbacks", view.fallbacks, (sentences) => this.drawFallbacks(sentences));
    this.drawChanged("numbers", view.numbers, (pairs) => this.drawNumbers(pairs));
    this.drawChanged("details", view.details, (pairs) => this.drawDetails(pairs, view.state));
    this.drawThinking(view);
    this.takeText(view.text);
    if (over) this.markdown.finish();
    this.drawEnd(view, over);
    this.root.dataset.state = view.state;
  }

  isNews(view) {
    const mark = (key, told) => {
      if (key === "turns") return told?.length; // they are over, and long
      return told && typeof told === "object" ? JSON.stringify(told) : told;
    };
    const marks = Object.entries(view).map(([key, told]) => [key, mark(key, told)]);
    const before = this.seen;
    this.seen = new Map(marks);
    return this.seen.size !== before?.size
      || marks.some(([key, mark]) => !before.has(key) || before.get(key) !== mark);
  }

  // What stands behind an answer that is not whole; behind it, so that nothing is moved.
  drawEnd(view, over) {
    const canGoOn = over && (view.cut || view.state === "stopped") && /\S/.test(view.text);
    put(this.cutWords, view.cut ? said("board.cut") : "");
    this.goOn.hidden = !canGoOn;
    const hidden = !view.cut && !canGoOn;
    if (hidden !== this.cut.hidden) this.keepingAtEnd(() => { this.cut.hidden = hidden; });
  }

  drawChanged(key, told, draw) {
    const mark = JSON.stringify(told);
    if (this.drawn[key] === mark) return;
    this.drawn[key] = mark;
    draw(told);
  }

  // What is off in this run and why, a sentence each.
  drawFallbacks(sentences) {
    this.fallbacks.replaceChildren();
    for (const sentence of sentences) make("p", this.fallbacks, "notice").textContent = inWords(sentence);
  }

  // With every word of an answer its speed is another one: the figures stay, their values change.
  drawNumbers(numbers) {
    const pairs = numbersInWords(numbers);
    while (this.numbers.childElementCount > pairs.length) this.numbers.lastChild.remove();
    pairs.forEach(([label, value], place) => {
      const pair = this.numbers.children[place] || make("div", this.numbers);
      put(pair.querySelector("dt") || make("dt", pair), label);
      put(pair.querySelector("dd") || make("dd", pair), value);
    });
  }

  // What a failed process has printed is evidence and gets a fold of its own.
  drawDetails(details, state) {
    this.details.replaceChildren();
    const apart = ([key]) => key === "log" && state === "failed";
    this.drawFold(said("board.sent"), details.filter((detail) => !apart(detail)));
    this.drawFold(said("board.process_log"), details.filter(apart));
  }

  drawFold(title, details) {
    if (!details.length) return;
    const fold = make("details", this.details);
    make("summary", fold).textContent = title;
    for (const [label, text] of details.map(detailInWords)) {
      if (details.length > 1) make("h3", fold).textContent = label;
      makeText("pre", fold).textContent = text;
    }
  }

  drawThinking(view) {
    const { thought = "" } = view;
    const words = thinkingInWords(view);
    if (!words) this.thinking.remove();
    else if (!this.thinking.isConnected) this.markdownRoot.before(this.thinking);
    put(this.thinkingWords, words);
    if (!thought.startsWith(this.thought)) {
      this.thought = "";
      this.thoughtRoot.replaceChildren();
    }
    const added = thought.slice(this.thought.length);
    if (!added) return;
    this.thought = thought;
    const append = () => this.thoughtRoot.append(added);
    if (this.thinking.open) this.keepingAtEndOf(this.thoughtRoot, append);
    else append(); // folded, so that no layout is made for it
  }

  // Append what is new in a text.
  takeText(text) {
    if (!text.startsWith(this.text)) this.clearText();
    const added = text.slice(this.text.length);
    if (!added) return;
    this.text = text;
    const append = () => this.plainRoot.append(added);
    if (this.isPlain()) this.keepingAtEnd(append);
    else append(); // unseen, so that no layout is made for it
    this.markdown.append(added);
  }

  // Show the answer with marks in place of the plain text; null takes them away.
  showMarked(draw) {
    this.marked.hidden = !draw;
    this.plainRoot.hidden = Boolean(draw);
    this.marked.replaceChildren();
    if (draw) draw(this.marked);
  }

  isPlain() {
    return this.root.closest("[data-mode]")?.dataset.mode === "plain";
  }

  // Whoever reads at the end of an answer stays there while it grows.
  keepingAtEnd(draw) {
    this.keepingAtEndOf(this.answer, draw);
  }

  keepingAtEndOf(node, draw) {
    const follows = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    draw();
    if (follows) node.scrollTop = node.scrollHeight;
  }
}
