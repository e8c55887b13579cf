// One answer, whole: what was asked, what was answered, what its assertions say, its figures.
// Events for the server: "look" with the suite's id, slot (-1 for the prompt alone), prompt and repeat;
// "vote" with all but the slot, and whether who answered what is known already.

class CellPanel {
  constructor(parent, onClose) {
    this.onClose = onClose;
    this.seen = new Set(); // prompts of which an answer was looked into
    this.root = make("section", parent, "evaluate-answer");
    this.root.hidden = true;
    this.root.tabIndex = -1;
    this.root.setAttribute("aria-label", said("evaluate.answer"));
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
  }

  ask(opened, prompt, slot, repeat = 0) {
    this.opened = opened;
    this.asked = { id: opened.id, prompt, slot, repeat };
    trigger("look", this.asked);
  }

  close() {
    this.root.hidden = true;
    this.asked = null;
    this.onClose();
  }

  isAsked(view) {
    const asked = this.asked;
    return asked && (view.trouble || ["id", "prompt", "slot", "repeat"].every((name) => view[name] === asked[name]));
  }

  draw(view) {
    if (!this.isAsked(view)) return;
    this.root.replaceChildren();
    this.root.hidden = false;
    const bar = make("div", this.root, "evaluate-answer-bar");
    makeText("h3", bar, "", view.label || said("evaluate.prompt"));
    if (view.sign) {
      const sign = make("span", bar, "evaluate-sign", `${SIGNS[view.sign].mark} ${signWord(view.sign)}`);
      sign.dataset.sign = SIGNS[view.sign].key;
    }
    if (!view.trouble) {
      this.drawRepeats(bar, view);
      const { id, prompt, repeat } = view;
      if (view.slot >= 0) this.seen.add(`${id} ${prompt}`);
      const known = this.seen.has(`${id} ${prompt}`);
      const key = known ? "evaluate.vote_known" : "evaluate.vote";
      if (this.opened.columns.length > 1) {
        makeButton(bar, key, () => trigger("vote", { id, prompt, repeat, known }));
      }
    }
    makeButton(bar, "evaluate.close", () => this.close());
    if (view.trouble) make("p", this.root, "error", inWords(view.trouble));
    else this.drawWhole(view);
    this.root.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: "nearest" });
  }

  drawRepeats(bar, view) {
    if (this.opened.repeats < 2) return;
    const select = make("select", bar);
    select.setAttribute("aria-label", said("evaluate.repeat"));
    for (let repeat = 0; repeat < this.opened.repeats; repeat += 1) {
      makeOption(select, String(repeat), said("evaluate.repeat_number", { number: repeat + 1 }));
    }
    select.value = String(view.repeat);
    select.addEventListener("change", () => this.ask(this.opened, view.prompt, view.slot, Number(select.value)));
  }

  drawWhole(view) {
    for (const [role, content] of view.messages) {
      this.block(said(`evaluate.role_${role}`), content, "evaluate-said"); // system, user, assistant
    }
    if (view.expected !== null) this.block(said("evaluate.expected"), view.expected, "evaluate-said");
    if (view.slot < 0) {
      for (const words of view.asserted) makeText("code", this.root, "evaluate-assertion", words);
      return;
    }
    if (view.error) make("p", this.root, "error", view.error);
    if (view.thinking) {
      const fold = make("details", this.root);
      make("summary", fold, "", said("evaluate.thoughts"));
      makeText("pre", fold, "evaluate-text", view.thinking);
    }
    if (view.content || !view.error) this.block(said("evaluate.answer"), view.content || said("evaluate.no_answer"), "");
    this.drawAssertions(view.assertions);
    this.drawFigures(view);
  }

  block(title, text, className) {
    make("h4", this.root, "", title);
    makeText("pre", this.root, `evaluate-text ${className}`, text);
  }

  drawAssertions(assertions) {
    if (!assertions.length) return;
    make("h4", this.root, "", said("evaluate.assertions"));
    const list = make("ul", this.root, "evaluate-outcomes");
    for (const { passed, words, reason } of assertions) {
      const item = make("li", list);
      const key = passed === null ? "untold" : passed ? "passed" : "missed";
      const mark = passed === null ? "?" : passed ? "✓" : "✗";
      make("span", item, "evaluate-sign", `${mark} ${said(`evaluate.sign_${key}`)}`).dataset.sign = key;
      makeText("code", item, "evaluate-assertion", words);
      makeText("span", item, "", reason);
    }
  }

  drawFigures({ figures, batch, seed }) {
    const told = [];
    const say = (name, value) => value !== undefined && value !== null && told.push([said(`evaluate.figure_${name}`), value]);
    const number = (value, digits) => value.toLocaleString(LANGUAGE, { maximumFractionDigits: digits });
    say("tokens", figures.token_count);
    say("prompt_tokens", figures.prompt_tokens);
    say("speed", figures.tokens_per_second && `${number(figures.tokens_per_second, 1)} tok/s`);
    say("first", figures.time_to_first_token && `${number(figures.time_to_first_token, 2)} s`);
    say("duration", figures.duration && `${number(figures.duration, 1)} s`);
    say("memory", figures.memory_usage && bytesWords(figures.memory_usage));
    say("batch", batch || undefined);
    say("seed", seed);
    if (!told.length) return;
    const list = make("dl", this.root, "evaluate-figures");
    for (const [name, value] of told) {
      const pair = make("div", list);
      make("dt", pair, "", name);
      make("dd", pair, "", String(value));
    }
  }
}
