// The suites that were run before: opened, gone on with, deleted.
// Events for the server: "open", "resume" and "remove" with an id.

class KeptSuites {
  constructor(parent, onOpen) {
    this.onOpen = onOpen;
    this.root = makeSection(parent, "evaluate-kept-list", "evaluate.kept");
    this.trouble = make("p", this.root, "error");
    this.trouble.setAttribute("role", "alert");
    this.list = make("ul", this.root, "history-list");
    this.list.setAttribute("aria-labelledby", "evaluate-kept-list-title");
    this.empty = make("p", this.root, "notice", said("evaluate.none_kept"));
    this.empty.hidden = true;
  }

  draw(view) {
    put(this.trouble, inWords(view.trouble));
    if (!view.entries) return;
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...view.entries.map((entry) => this.row(entry, view.running)));
    show(this.empty, !view.entries.length && !view.trouble);
    if (focused) this.list.querySelector("button")?.focus({ preventScroll: true });
  }

  row(entry, running) {
    const row = make("li", null, "history-row");
    row.dataset.id = entry.id;
    const isLive = entry.id === running;
    row.dataset.state = isLive ? "running" : entry.state;
    const main = make("div", row, "history-main");
    const name = makeText("button", main, "history-question", entry.name);
    name.type = "button";
    name.setAttribute("aria-label", said("evaluate.open_label", { name: entry.name }));
    name.addEventListener("click", () => this.onOpen(entry.id));
    const facts = make("p", main, "history-facts");
    make("span", facts, "", momentWords(entry.created));
    const counts = { prompts: entry.prompts, models: entry.columns.length, repeats: entry.repeats };
    make("span", facts, "", said(entry.repeats > 1 ? "evaluate.size_repeated" : "evaluate.size", counts));
    make("span", facts, "", said("evaluate.progress", { done: entry.done + entry.failed, total: entry.total }));
    make("span", facts, "evaluate-state", stateWords(row.dataset.state)).dataset.state = row.dataset.state;
    makeText("p", main, "history-columns", entry.columns.join(" · "));
    if (!isLive) this.actions(row, entry);
    return row;
  }

  actions(row, entry) {
    const actions = make("div", row, "history-actions");
    const isOpenEnded = entry.state === "interrupted" || entry.done + entry.failed < entry.total;
    if (isOpenEnded && entry.state !== "running") {
      makeButton(actions, "evaluate.resume", () => trigger("resume", { id: entry.id }));
    }
    const remove = makeButton(actions, "evaluate.remove", () =>
      askTwice(remove, "evaluate.remove_now", () => trigger("remove", { id: entry.id })));
  }
}
