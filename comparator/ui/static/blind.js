// Voting on the answers, and answers whose names are hidden until then: the server sends no name,
// no figure and no part of an answer before all of them are done. What is left to this script is
// that they come at one pace, so that neither speed nor length of a wait tells who is who.
// Events for the server: "vote" with the answer, "show_names" and "take_back".

const TYPED_PER_SECOND = 500; // characters, of each answer alike
const TYPED_SECONDS = 4; // at the most, however long the longest is
const TYPED_STEP_MS = 60;
const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

// The row under the answers: which of them is best.
class VoteRow {
  constructor(parent) {
    this.root = make("div", parent, "vote-row");
    this.root.setAttribute("role", "group");
    this.words = make("span", this.root, "vote-words");
    this.words.setAttribute("role", "status");
    this.root.setAttribute("aria-label", said("blind.row"));
    this.buttons = make("span", this.root, "vote-buttons");
    this.names = makeButton(this.root, "vote-names", said("blind.show_names"), () => this.showNames());
    this.back = makeButton(this.root, "vote-back", said("blind.take_back"), () => this.takeBack());
    this.trouble = make("span", this.root, "error vote-trouble");
    this.trouble.setAttribute("role", "alert");
    this.count = 0;
    this.root.hidden = true;
  }

  // The row has its place from the start, so that nothing moves when the answers are over.
  draw({ vote, running, columns }) {
    this.root.hidden = !vote || (!vote.blind && !vote.was_blind && (!vote.kept || vote.state === "closed"));
    if (this.root.hidden) return;
    this.build(vote.count);
    const isOpen = vote.state === "open" && !running;
    this.root.classList.toggle("blind", vote.blind);
    this.root.classList.toggle("waits", vote.state === "waiting");
    this.buttons.hidden = !isOpen || (!vote.blind && !vote.kept);
    this.names.hidden = !isOpen || !vote.blind;
    this.back.hidden = !isOpen || !vote.answer;
    for (const button of this.buttons.children) {
      const { answer } = button.dataset;
      const isLetter = LETTERS.includes(answer);
      button.hidden = isLetter && !vote.letters.includes(answer);
      if (isLetter) nameSign(button, said("blind.best", { answer: answerInWords(answer, vote, columns) }));
      button.setAttribute("aria-pressed", String(button.dataset.answer === vote.answer));
    }
    put(this.words, voteInWords(vote, columns));
    put(this.trouble, inWords(vote.trouble));
  }

  build(count) {
    if (count === this.count) return;
    this.count = count;
    this.buttons.replaceChildren();
    for (const letter of LETTERS.slice(0, count)) this.buildButton(letter, letter);
    this.buildButton("tie", said("blind.tie"));
    this.buildButton("both_bad", said(count > 2 ? "blind.all_bad" : "blind.both_bad"));
  }

  buildButton(answer, words) {
    const button = makeButton(this.buttons, "", words, () => trigger("vote", { answer }));
    button.dataset.answer = answer;
  }

  // The buttons that go away leave the focus in the row.
  showNames() {
    trigger("show_names", {});
    this.buttons.firstChild?.focus();
  }

  takeBack() {
    trigger("take_back", {});
    this.buttons.firstChild?.focus();
  }
}

function voteInWords(vote, columns) {
  if (vote.state === "waiting") return vote.blind ? said("blind.waiting") : "";
  if (vote.state === "closed") return said("blind.no_vote", { letters: vote.missing.join(", ") });
  const which = said(vote.count > 2 ? "blind.which_of_many" : "blind.which");
  if (vote.blind) return which;
  const answer = vote.answer && answerInWords(vote.answer, vote, columns);
  if (answer) return said(vote.was_blind ? "blind.voted_blind" : "blind.voted", { answer });
  return vote.skipped ? `${said("blind.skipped")} ${which}` : which;
}

function answerInWords(answer, vote, columns) {
  if (answer === "tie") return said("blind.tie");
  if (answer === "both_bad") return said(badInWords(vote.count));
  const slot = LETTERS.indexOf(answer);
  return letterAndName(slot, columns[slot]);
}

function badInWords(count) {
  return count > 2 ? "blind.all_bad" : "blind.both_bad";
}

// Lets blind answers appear at one pace, when all of them are there; for whoever wants no motion,
// and for answers that were seen before, they are there at once.
class Pace {
  constructor(redraw) {
    this.redraw = redraw;
    this.awaited = null; // the run whose answers are to come
    this.typed = null; // the run whose answers are appearing
  }

  // The columns of a view as they are to be drawn now.
  of({ run, running, vote, columns }) {
    if (!vote?.blind) this.typed = this.awaited = null;
    else if (running) this.awaited = run;
    else if (this.awaited === run) this.begin(run);
    return this.typed === run ? this.cut(columns) : columns;
  }

  begin(run) {
    this.awaited = null;
    if (STILL.matches) return;
    this.typed = run;
    this.began = performance.now();
  }

  cut(columns) {
    const longest = Math.max(...columns.map(({ text }) => text.length));
    const pace = Math.max(TYPED_PER_SECOND, longest / TYPED_SECONDS);
    const count = Math.round(((performance.now() - this.began) / 1000) * pace);
    if (count >= longest) {
      this.typed = null;
      return columns;
    }
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(this.redraw, TYPED_STEP_MS);
    return columns.map((column) => ({ ...column, text: beginOf(column.text, count), state: "writing" }));
  }
}

// The begin of a text, which never ends in the middle of a character.
function beginOf(text, count) {
  const isHalf = /[\ud800-\udbff]/.test(text[count - 1] || "");
  return text.slice(0, isHalf ? count + 1 : count);
}
