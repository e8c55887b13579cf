// Where a suite's prompts come from, what was read of it, and how it is to be asked.
// Events for the server: "read" with a source, "comparisons" with words, "begin" with all of it.

const READ_MILLISECONDS = 600;
const SOURCES = ["paste", "file", "history", "builtin", "kept"];

class NewSuite {
  constructor(parent) {
    this.kind = "paste";
    this.file = null;
    this.chosen = new Map(); // comparisons by id
    this.timer = 0;
    this.root = makeSection(parent, "evaluate-new", "evaluate.new");
    this.buildKinds();
    this.panes = {};
    for (const kind of SOURCES) {
      this.panes[kind] = make("div", this.root, "evaluate-pane");
      this.panes[kind].hidden = kind !== this.kind;
    }
    this.buildPaste(this.panes.paste);
    this.buildFile(this.panes.file);
    this.buildHistory(this.panes.history);
    this.builtin = this.buildChoice(this.panes.builtin, "evaluate.builtin");
    this.kept = this.buildChoice(this.panes.kept, "evaluate.kept_one");
    this.preview = make("div", this.root, "evaluate-preview");
    this.buildModels();
    this.buildFields();
    this.buildStart();
  }

  buildKinds() {
    const group = make("fieldset", this.root, "evaluate-kinds");
    make("legend", group, "", said("evaluate.prompts_from"));
    for (const kind of SOURCES) {
      const label = make("label", group);
      const radio = make("input", label);
      radio.type = "radio";
      radio.name = "evaluate-kind";
      radio.value = kind;
      radio.checked = kind === this.kind;
      radio.addEventListener("change", () => this.choose(kind));
      make("span", label, "", said(`evaluate.from_${kind}`)); // paste, file, history, builtin, kept
    }
  }

  buildPaste(pane) {
    this.text = make("textarea", null);
    this.text.rows = 6;
    this.text.id = "evaluate-text";
    this.text.placeholder = said("evaluate.paste_hint");
    this.text.addEventListener("input", () => this.readSoon());
    makeField(pane, "evaluate.paste", this.text);
  }

  buildFile(pane) {
    this.picker = make("input", pane);
    this.picker.type = "file";
    this.picker.id = "evaluate-file";
    this.picker.accept = ".txt,.jsonl,.csv,.parquet,.yaml,.yml,.json";
    this.picker.setAttribute("aria-label", said("evaluate.file"));
    this.picker.addEventListener("change", () => this.takeFile(this.picker.files[0]));
    make("p", pane, "notice", said("evaluate.file_hint"));
  }

  buildHistory(pane) {
    this.words = make("input", null, "library-search");
    this.words.type = "search";
    this.words.addEventListener("input", () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.askComparisons(), READ_MILLISECONDS);
    });
    makeField(pane, "evaluate.history_search", this.words);
    this.comparisons = make("ul", pane, "evaluate-comparisons");
    this.comparisons.setAttribute("aria-label", said("evaluate.from_history"));
  }

  buildChoice(pane, key) {
    const select = makeField(pane, key, make("select", null));
    select.addEventListener("change", () => this.read());
    return select;
  }

  buildModels() {
    const line = make("div", this.root, "evaluate-models");
    make("span", line, "evaluate-label", said("evaluate.models"));
    this.models = make("span", line, "chips");
    makeButton(line, "evaluate.change_models", () => {
      document.querySelector("#tabs [role='tablist'] [role='tab']")?.click();
      requestAnimationFrame(() => document.querySelector("#model-a input")?.focus());
    });
    window.addEventListener("comparator-chosen", () => this.drawModels());
    this.drawModels();
  }

  buildFields() {
    const fields = make("div", this.root, "evaluate-fields");
    this.repeats = makeField(fields, "evaluate.repeats", make("input", null));
    Object.assign(this.repeats, { type: "number", min: 1, max: 20, value: 1, id: "evaluate-repeats" });
    this.repeats.addEventListener("change", () => this.read());
    this.batch = makeField(fields, "evaluate.batch", make("input", null));
    Object.assign(this.batch, { type: "text", value: "auto", id: "evaluate-batch" });
    this.judge = makeField(fields, "evaluate.judge", make("select", null));
    this.judge.parentElement.hidden = EVALUATE_PUBLIC;
    this.name = makeField(fields, "evaluate.name", make("input", null));
    Object.assign(this.name, { type: "text", maxLength: 200, placeholder: said("evaluate.name_hint") });
    this.drawJudges();
  }

  buildStart() {
    const line = make("div", this.root, "evaluate-start");
    this.start = makeButton(line, "evaluate.begin", () => this.begin(), "library-button evaluate-begin");
    this.start.id = "evaluate-begin";
    this.told = make("p", line, "error");
    this.told.setAttribute("role", "alert");
  }

  choose(kind) {
    this.kind = kind;
    for (const [name, pane] of Object.entries(this.panes)) show(pane, name === kind);
    if (kind === "history" && !this.comparisons.childElementCount) this.askComparisons();
    this.read();
  }

  // What the server is asked to read; null while there is nothing.
  source() {
    if (this.kind === "paste") return this.text.value.trim() ? { kind: "paste", text: this.text.value } : null;
    if (this.kind === "file") return this.file;
    if (this.kind === "history") {
      return this.chosen.size ? { kind: "history", ids: [...this.chosen.keys()] } : null;
    }
    if (this.kind === "builtin") return this.builtin.value ? { kind: "builtin", name: this.builtin.value } : null;
    return this.kept.value ? { kind: "kept", id: this.kept.value } : null;
  }

  readSoon() {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.read(), READ_MILLISECONDS);
  }

  read() {
    window.clearTimeout(this.timer);
    const source = this.source();
    put(this.told, "");
    if (source) trigger("read", { source, repeats: this.repeats.value });
    else this.preview.replaceChildren();
  }

  async takeFile(file) {
    this.file = null;
    if (!file) return this.read();
    if (file.size > EVALUATE_FILE_BYTES) {
      const most = bytesWords(EVALUATE_FILE_BYTES);
      this.preview.replaceChildren();
      return put(this.told, said("evaluate.file_too_large", { name: file.name, most }));
    }
    const address = await new Promise((done) => {
      const reader = new FileReader();
      reader.addEventListener("loadend", () => done(reader.result || ""));
      reader.readAsDataURL(file);
    });
    const data = String(address).split(",")[1] || "";
    this.file = { kind: "file", name: file.name, data };
    this.read();
  }

  askComparisons() {
    trigger("comparisons", { words: this.words.value.trim() });
  }

  drawComparisons(view) {
    this.comparisons.replaceChildren();
    const kept = [...this.chosen].map(([id, question]) => ({ id, question }));
    const others = view.entries.filter((entry) => !this.chosen.has(entry.id));
    for (const { id, question } of [...kept, ...others]) {
      const label = make("label", make("li", this.comparisons));
      const box = make("input", label);
      box.type = "checkbox";
      box.checked = this.chosen.has(id);
      box.addEventListener("change", () => {
        if (box.checked) this.chosen.set(id, question);
        else this.chosen.delete(id);
        this.read();
      });
      makeText("span", label, "", question || said("history.no_question"));
    }
    if (!this.comparisons.childElementCount) {
      make("li", this.comparisons, "notice", inWords(view.trouble) || said("evaluate.no_comparisons"));
    }
  }

  drawKept(view) {
    const chosen = [this.builtin.value, this.kept.value];
    this.builtin.replaceChildren();
    for (const name of view.builtin) makeOption(this.builtin, name, name);
    this.kept.replaceChildren();
    makeOption(this.kept, "", "–");
    for (const entry of view.entries) {
      makeOption(this.kept, entry.id, `${entry.name} · ${momentWords(entry.created)}`);
    }
    if (chosen[0]) this.builtin.value = chosen[0];
    if (chosen[1]) this.kept.value = chosen[1];
    this.drawModels();
    if (this.preview.childElementCount && this.source()) this.read(); // other models take another time
  }

  drawPreview(view) {
    put(this.told, inWords(view.trouble));
    this.start.disabled = false;
    if (view.trouble) return this.preview.replaceChildren();
    if (view.count === undefined) return undefined;
    this.preview.replaceChildren();
    const values = { count: view.count, assertions: view.assertions };
    make("p", this.preview, "evaluate-count", said("evaluate.read_as", values)).setAttribute("role", "status");
    if (view.most_seconds !== null) {
      const time = durationWords(view.most_seconds);
      make("p", this.preview, "notice", said("evaluate.estimate", { time }));
    }
    for (const note of view.notes) make("p", this.preview, "notice", inWords(note));
    const list = make("ol", this.preview);
    for (const item of view.first) this.drawItem(make("li", list), item);
    if (view.count > view.first.length) {
      make("p", this.preview, "notice", said("evaluate.and_more", { count: view.count - view.first.length }));
    }
    return undefined;
  }

  drawItem(node, item) {
    makeText("span", node, "evaluate-question", item.question);
    if (item.messages > 1) make("span", node, "evaluate-tag", said("evaluate.messages", { count: item.messages }));
    for (const words of item.assertions) makeText("code", node, "evaluate-assertion", words);
    for (const tag of item.tags) makeText("span", node, "evaluate-tag", tag);
  }

  // The slots of the Compare tab, with what each has of its own.
  drawModels() {
    const catalogue = window.comparatorCatalogue || {};
    const models = (window.comparatorChosen || []).map((id, place) => [id, LETTERS[place]]);
    this.models.replaceChildren();
    for (const [id, letter] of models) {
      if (!id) continue;
      const own = [...document.querySelectorAll(`#own-${letter.toLowerCase()} .chip-edit`)];
      const words = [(catalogue[id] || [id])[0], ...own.map((chip) => chip.textContent)];
      makeText("span", this.models, "chip evaluate-model", `${letter}: ${words.join(" · ")}`);
    }
    if (!this.models.childElementCount) make("span", this.models, "notice", said("evaluate.no_models"));
    if (this.judge) this.drawJudges();
  }

  drawJudges() {
    const chosen = this.judge.value;
    const catalogue = window.comparatorCatalogue || {};
    this.judge.replaceChildren();
    makeOption(this.judge, "", said("evaluate.no_judge"));
    for (const [id, [name]] of Object.entries(catalogue)) makeOption(this.judge, id, name);
    if (chosen in catalogue) this.judge.value = chosen;
  }

  begin() {
    const source = this.source();
    if (!source) return put(this.told, said("evaluate.nothing_to_ask"));
    put(this.told, "");
    this.start.disabled = true;
    return trigger("begin", {
      source,
      repeats: this.repeats.value,
      batch: this.batch.value.trim(),
      judge: this.judge.value,
      name: this.name.value,
    });
  }
}
