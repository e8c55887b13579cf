// A conversation on the board: what was said before in a column, and the field that asks on.

const ONCE_MILLISECONDS = 1000;

// The earlier turns of one column and the question of the latest; all but the last are folded.
class Turns {
  constructor(parent, onEdit) {
    this.onEdit = onEdit;
    this.earlier = make("details", null, "earlier");
    this.summary = make("summary", this.earlier);
    this.folded = make("div", this.earlier);
    this.last = make("div", null, "last-turn");
    this.question = make("div", null, "question");
    this.asked = makeText("p", this.question);
    this.edit = makeSign(this.question, "edit", said("board.edit"), () => this.editAt(this.count));
    parent.append(this.last, this.question);
    this.earlier.addEventListener("toggle", () => this.unfold());
    this.mark = null;
    this.count = 0;
    this.turns = [];
    this.question.hidden = true;
  }

  draw({ turns = [], question = "", asked_on: askedOn = false }) {
    const mark = JSON.stringify([turns.length, question, askedOn]);
    if (mark === this.mark) return; // turns that are over stay as they are
    this.mark = mark;
    this.turns = turns;
    this.count = turns.length;
    this.edit.hidden = !turns.length && !askedOn;
    this.question.hidden = !question;
    put(this.asked, question);
    const many = turns.length - 1;
    if (many < 1) this.earlier.remove();
    else this.last.before(this.earlier);
    this.earlier.open = false;
    this.folded.replaceChildren();
    this.last.replaceChildren();
    put(this.summary, many === 1 ? said("board.earlier_one") : said("board.earlier", { count: many }));
    if (turns.length) this.drawTurn(this.last, turns.length - 1);
  }

  // Folded turns are made when somebody wants to see them.
  unfold() {
    if (!this.earlier.open || this.folded.childElementCount) return;
    this.turns.slice(0, -1).forEach((_, number) => this.drawTurn(this.folded, number));
  }

  drawTurn(parent, number) {
    const { question, answer } = this.turns[number];
    const asked = make("div", parent, "question");
    makeText("p", asked).textContent = question;
    makeSign(asked, "edit", said("board.edit"), () => this.editAt(number));
    const root = makeText("div", parent, "earlier-answer");
    if (!answer.trim()) {
      root.textContent = said("board.no_answer");
      return;
    }
    const view = new MarkdownView(make("div", root, "markdown"), (draw) => draw());
    view.append(answer);
    view.finish();
  }

  editAt(number) {
    const asked = number < this.count ? this.turns[number].question : this.asked.textContent;
    this.onEdit(number, asked);
  }
}

// The field under the columns: it asks on, or asks a turn again with other words.
class FollowUp {
  constructor(parent, onAsk, onEdit) {
    this.onAsk = onAsk;
    this.onEdit = onEdit;
    this.turn = null;
    this.sentAt = -ONCE_MILLISECONDS;
    this.form = make("form", parent, "follow-up");
    this.label = make("label", this.form);
    this.field = make("textarea", this.form);
    this.field.rows = 1;
    this.field.dir = "auto";
    this.field.id = this.label.htmlFor = "follow-up-field";
    this.cancel = makeButton(this.form, "cancel", said("board.cancel"), () => this.leaveEdit());
    this.send = makeButton(this.form, "send", "", () => this.submit());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.field.addEventListener("keydown", (event) => this.keyDown(event));
    this.form.hidden = true;
    this.word();
  }

  draw(view) {
    const answered = view.columns.some(({ text }) => /\S/.test(text));
    this.form.hidden = !view.columns.length;
    this.field.disabled = this.send.disabled = view.running || !answered;
  }

  fresh() {
    this.field.value = "";
    this.sentAt = -ONCE_MILLISECONDS;
    this.turn = null;
    this.word();
  }

  word() {
    const isEdit = this.turn !== null;
    this.form.classList.toggle("editing", isEdit);
    put(this.label, isEdit ? said("board.edit_label", { number: this.turn + 1 }) : said("board.ask_on_label"));
    put(this.send, said(isEdit ? "board.ask_again" : "board.ask_on"));
    this.field.placeholder = isEdit ? "" : said("board.ask_on_placeholder");
    this.cancel.hidden = !isEdit;
  }

  edit(turn, question) {
    if (this.field.disabled) return;
    this.turn = turn;
    this.field.value = question;
    this.word();
    this.field.focus();
  }

  leaveEdit() {
    this.fresh();
    this.field.focus();
  }

  keyDown(event) {
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key === "Enter" && !event.shiftKey && !composing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.turn !== null) {
      event.stopPropagation();
      this.leaveEdit();
    }
  }

  submit() {
    const question = this.field.value;
    if (this.field.disabled || !question.trim()) return;
    const now = performance.now();
    if (now - this.sentAt < ONCE_MILLISECONDS) return; // fifty presses of a key ask once
    this.sentAt = now;
    if (this.turn === null) this.onAsk(question);
    else this.onEdit(this.turn, question);
  }
}
