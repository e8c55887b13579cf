// Taking a comparison away: which form, as a file or into the clipboard.
// Event for the server: "take_away" with the form, what is done with it ("save" or "copy"), and the
// comparison's id in the history, null while it has none. The text comes back through take_away.js.

const EXPORT_FORMS = ["html", "md", "json", "jsonl", "csv", "card", "pair", "promptfoo"];
const exportMenus = new WeakMap();

// Draw the menu of a comparison: of a board's view, or of { comparison, columns, badges } elsewhere.
function drawExport(root, view) {
  if (!exportMenus.has(root)) exportMenus.set(root, new ExportMenu(root));
  exportMenus.get(root).draw(view);
}

function exportPart(tag, parent, words) {
  const node = document.createElement(tag);
  if (words) node.textContent = words;
  parent.append(node);
  return node;
}

class ExportMenu {
  constructor(root) {
    this.waits = false;
    this.comparison = null;
    this.root = exportPart("section", root);
    this.root.className = "export";
    this.root.hidden = true;
    this.root.setAttribute("aria-label", said("export.title"));
    this.badges = exportPart("ul", this.root);
    this.badges.className = "export-badges";
    this.badges.setAttribute("aria-label", said("export.badges"));
    const row = exportPart("div", this.root);
    row.className = "export-row";
    this.buildChoice(row);
    this.buildButton(row, "save", "export.save");
    this.buildButton(row, "copy", "export.copy");
    this.hint = exportPart("p", this.root);
    this.hint.className = "export-hint";
    this.choice.setAttribute("aria-describedby", this.hint.id = `${root.id}-hint`);
    this.news = exportPart("p", this.root);
    this.news.className = "export-news";
    this.news.setAttribute("role", "status");
    this.describe();
    window.addEventListener("comparator-taken-away", (event) => this.told(event.detail));
  }

  buildChoice(row) {
    const label = exportPart("label", row, `${said("export.title")} `);
    this.choice = exportPart("select", label);
    for (const form of EXPORT_FORMS) {
      exportPart("option", this.choice, said(`export.form_${form}`)).value = form;
    }
    this.choice.addEventListener("change", () => this.describe());
  }

  buildButton(row, how, key) {
    const button = exportPart("button", row, said(key));
    button.type = "button";
    button.addEventListener("click", () => this.ask(how));
  }

  describe() {
    this.hint.textContent = said(`export.what_${this.choice.value}`);
    this.news.textContent = "";
  }

  ask(how) {
    this.waits = true;
    this.news.textContent = said("export.making");
    trigger("take_away", { form: this.choice.value, how, comparison: this.comparison });
  }

  // What became of it: of this menu's own question alone.
  told({ outcome, name, trouble, note, shown }) {
    if (!this.waits) return;
    this.waits = false;
    if (shown) this.show(name, shown);
    const words = inWords(trouble) || said(outcome, { name });
    this.news.textContent = [words, note].filter(Boolean).join(" ");
    this.news.classList.toggle("error", Boolean(trouble));
  }

  // The text itself, marked, for whoever has to copy it by hand.
  show(name, text) {
    const dialog = exportPart("dialog", this.root);
    dialog.className = "taken-away";
    dialog.setAttribute("aria-label", said("export.copy_by_hand"));
    exportPart("p", dialog, said("export.copy_by_hand"));
    const field = exportPart("textarea", dialog);
    field.value = text;
    field.readOnly = true;
    field.rows = 14;
    field.setAttribute("aria-label", name);
    const close = exportPart("button", dialog, said("export.close"));
    close.type = "button";
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.showModal();
    field.select();
  }

  draw(view) {
    const count = (view.columns || []).length;
    this.root.hidden = Boolean(view.running) || !count;
    if (this.root.hidden || view.comparison !== this.comparison) this.news.textContent = "";
    this.comparison = view.comparison || null;
    const pair = [...this.choice.options].find((option) => option.value === "pair");
    pair.disabled = count < 2;
    if (pair.disabled && pair.selected) this.choice.value = EXPORT_FORMS[0];
    this.badges.replaceChildren();
    for (const badge of view.badges || []) {
      exportPart("li", this.badges, exportBadge(badge)).className = badge.word === null ? "same" : "parted";
    }
    this.badges.hidden = !this.badges.children.length;
  }
}

// Whether what was asked twice alike was answered alike, in words.
function exportBadge({ first, second, earlier, greedy, word, thought }) {
  const what = said(greedy ? "export.greedy_twice" : "export.seed_twice");
  const other = earlier ? said("export.of_earlier", { letter: second, earlier }) : second;
  if (word === null) return said("export.identical", { what, first, second: other });
  const parted = thought ? "export.parted_in_thought" : "export.parted";
  return said(parted, { what, word, first, second: other });
}
