// One column of the board: a model's name, its state in words, its answer and its figures.

function make(tag, parent, className) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (parent) parent.append(node);
  return node;
}

const ACTIVE = ["waiting", "starting", "loading", "reading the prompt", "writing"];

class Column {
  constructor(slot, onStop, onRetry) {
    this.slot = slot;
    this.attempt = 0;
    this.text = "";
    this.thought = "";
    this.drawn = {};
    this.root = make("section", null, "reply");
    this.root.dataset.slot = String(slot);
    this.buildHead(onStop, onRetry);
    this.error = make("p", this.root, "error");
    this.notice = make("p", this.root, "notice");
    this.fallbacks = make("div", this.root, "fallbacks");
    this.buildThinking();
    this.answer = make("div", this.root, "answer");
    this.answer.tabIndex = 0;
    this.answer.setAttribute("role", "group");
    this.markdownRoot = make("div", this.answer, "markdown");
    this.plainRoot = make("pre", this.answer, "plain");
    this.markdown = new MarkdownView(this.markdownRoot, (draw) => this.keepingAtEnd(draw));
    this.numbers = make("dl", this.root, "numbers");
    this.details = make("div", this.root, "evidence");
  }

  buildHead(onStop, onRetry) {
    const head = make("header", this.root);
    const line = make("div", head, "title");
    this.name = make("h2", line);
    this.stop = this.buildButton(line, "Stop", onStop);
    this.retry = this.buildButton(line, "Retry", onRetry);
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
    this.thoughtRoot = make("pre", this.thinking);
    this.thoughtRoot.tabIndex = 0;
  }

  buildButton(line, words, action) {
    const button = make("button", line, `${words.toLowerCase()}-column`);
    button.type = "button";
    button.textContent = words;
    button.hidden = true;
    button.addEventListener("click", () => action(this.slot));
    return button;
  }

  // Which of the two buttons is there; a keyboard stays where it was when they change places.
  drawButtons(view) {
    const active = ACTIVE.includes(view.state);
    const focused = [this.stop, this.retry].includes(document.activeElement);
    this.stop.hidden = !active;
    this.retry.hidden = !["failed", "stopped"].includes(view.state);
    this.stop.setAttribute("aria-label", `Stop ${view.name}`);
    this.retry.setAttribute("aria-label", `Retry ${view.name}`);
    if (!focused || [this.stop, this.retry].includes(document.activeElement)) return;
    [this.stop, this.retry, this.answer].find((node) => !node.hidden).focus();
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
  }

  // Draw a view, which is whole: when its state is "done", all of its text is there.
  draw(view) {
    if (view.attempt !== this.attempt) this.clear(view.attempt);
    this.put(this.name, view.name);
    this.name.title = view.name;
    this.put(this.kind, view.kind);
    this.put(this.state, view.words);
    this.root.dataset.state = view.state;
    this.root.dataset.attempt = String(view.attempt);
    this.root.setAttribute("aria-label", view.name);
    this.answer.setAttribute("aria-label", `Answer of ${view.name}`);
    this.drawButtons(view);
    this.bar.dataset.busy = view.share === null ? view.state : "share";
    this.fill.style.width = view.share === null ? "" : `${Math.round(view.share * 100)}%`;
    this.put(this.error, view.error);
    this.put(this.notice, [view.notice, view.cut ? "Cut off at the limit of tokens." : ""].join(" ").trim());
    this.drawPairs("fallbacks", view.fallbacks, (sentences) => this.drawFallbacks(sentences));
    this.drawPairs("numbers", view.numbers, (pairs) => this.drawNumbers(pairs));
    this.drawPairs("details", view.details, (pairs) => this.drawDetails(pairs, view.state));
    this.drawThinking(view);
    this.takeText(view.text);
    if (!ACTIVE.includes(view.state)) this.markdown.finish();
  }

  put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  drawPairs(key, pairs, draw) {
    const mark = JSON.stringify(pairs);
    if (this.drawn[key] === mark) return;
    this.drawn[key] = mark;
    draw(pairs);
  }

  // What is off in this run and why, a sentence each.
  drawFallbacks(sentences) {
    this.fallbacks.replaceChildren();
    for (const sentence of sentences) make("p", this.fallbacks, "notice").textContent = sentence;
  }

  drawNumbers(pairs) {
    this.numbers.replaceChildren();
    for (const [label, value] of pairs) {
      const pair = make("div", this.numbers);
      make("dt", pair).textContent = label;
      make("dd", pair).textContent = value;
    }
  }

  // What a failed process has printed is evidence and gets a fold of its own.
  drawDetails(pairs, state) {
    this.details.replaceChildren();
    const apart = (label) => label === "Log" && state === "failed";
    this.drawFold("What was sent", pairs.filter(([label]) => !apart(label)));
    this.drawFold("Log of the process", pairs.filter(([label]) => apart(label)));
  }

  drawFold(title, pairs) {
    if (!pairs.length) return;
    const fold = make("details", this.details);
    make("summary", fold).textContent = title;
    for (const [label, text] of pairs) {
      if (pairs.length > 1) make("h3", fold).textContent = label;
      make("pre", fold).textContent = text;
    }
  }

  drawThinking(view) {
    const { thinking = "", thought = "" } = view;
    if (!thinking) this.thinking.remove();
    else if (!this.thinking.isConnected) this.answer.before(this.thinking);
    this.put(this.thinkingWords, thinking);
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
