// What came of a suite as a whole: a table with intervals, pairs, the chart, and reports to take away.
// Event for the server: "take_away" with the suite's id and a form.

const MOST_FLIPS = 20;

class Results {
  constructor(parent) {
    this.root = makeSection(parent, "evaluate-results", "evaluate.results");
    this.table = this.scroller("evaluate-scroll", "evaluate.results");
    this.pairs = make("ul", this.root, "evaluate-pairs");
    this.judge = make("p", this.root, "notice");
    this.chart = this.scroller("evaluate-chart", "evaluate.chart");
    this.keeping = make("ul", this.root, "evaluate-keeping");
    this.told = make("p", this.root, "notice");
    this.buildExport();
  }

  // On a narrow screen it is wider than the page, and the keyboard moves it.
  scroller(name, key) {
    const node = make("div", this.root, name);
    node.tabIndex = 0;
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", said(key));
    return node;
  }

  buildExport() {
    const line = make("div", this.root, "evaluate-export");
    make("span", line, "evaluate-label", said("evaluate.take_away"));
    for (const form of EVALUATE_FORMS) {
      const button = make("button", line, "library-button", form);
      button.type = "button";
      button.dataset.form = form;
      button.setAttribute("aria-label", said("evaluate.take_away_as", { form }));
      button.addEventListener("click", () => this.takeAway(form));
    }
    this.news = make("span", line, "notice");
    this.news.setAttribute("role", "status");
    window.addEventListener("comparator-taken-away", ({ detail }) => {
      if (!this.waits) return;
      this.waits = false;
      put(this.news, inWords(detail.trouble) || said(detail.outcome, { name: detail.name }));
    });
  }

  takeAway(form) {
    this.waits = true;
    put(this.news, said("export.making"));
    trigger("take_away", { id: this.opened.id, form });
  }

  open(opened) {
    this.opened = opened;
    this.isWhole = false; // whether what is shown is of all of it
    put(this.news, "");
    put(this.told, "");
    put(this.judge, "");
    for (const part of [this.table, this.pairs, this.chart, this.keeping]) part.replaceChildren();
  }

  // While it runs: counts alone, since intervals of a part would be taken for the whole.
  count(lines, isLive) {
    if (this.isWhole && !isLive) return;
    if (this.isWhole) this.open(this.opened);
    const { columns, repeats } = this.opened;
    const rows = columns.map((label, slot) => {
      const own = lines.map((line) => line.slice(1 + slot * repeats, 1 + (slot + 1) * repeats)).join("");
      const of = (sign) => [...own].filter((one) => one === sign).length;
      return [label, of("p") + of("m") + of("a"), of("x"), of("p"), ""];
    });
    this.drawTable(["answered", "unanswered", "passed", "rate"], rows);
  }

  draw(result) {
    put(this.told, inWords(result.trouble));
    if (result.trouble || !result.summary.length) return;
    this.isWhole = true;
    this.keeping.replaceChildren();
    const { columns } = this.opened;
    const rows = result.summary.map((one) => {
      const [low, high] = one.interval || [];
      const rate = one.pass_rate === null || one.pass_rate === undefined ? "–"
        : low === undefined || low === null ? percentWords(one.pass_rate)
          : said("evaluate.rate", { rate: percentWords(one.pass_rate), low: percentWords(low), high: percentWords(high) });
      const speed = one.tokens_per_second ? one.tokens_per_second.toFixed(1) : "–";
      const whole = one.aggregate_tokens_per_second ? one.aggregate_tokens_per_second.toFixed(1) : "–";
      const peak = one.peak_bytes ? bytesWords(one.peak_bytes) : "–";
      return [columns[one.slot], one.answered, one.failed, one.passed ?? "–", rate, speed, whole, peak];
    });
    this.drawTable(["answered", "unanswered", "passed", "rate", "speed", "whole_speed", "peak"], rows);
    this.drawPairs(result.pairs);
    this.drawJudge(result.judge);
    this.chart.innerHTML = result.chart || ""; // drawn by the server, its texts escaped there
    for (const sentence of result.sentences || []) make("li", this.keeping, "", inWords(sentence));
  }

  drawTable(names, rows) {
    this.table.replaceChildren();
    const table = make("table", this.table, "evaluate-summary");
    make("caption", table, "unseen", said("evaluate.results"));
    const head = make("tr", make("thead", table));
    for (const name of ["model", ...names]) {
      make("th", head, "", said(`evaluate.column_${name}`)).scope = "col";
    }
    const body = make("tbody", table);
    for (const [label, ...values] of rows) {
      const row = make("tr", body);
      makeText("th", row, "", label).scope = "row";
      for (const value of values) make("td", row, "", String(value));
    }
  }

  drawPairs(pairs) {
    this.pairs.replaceChildren();
    const { prompts } = this.opened;
    for (const { sentence, adjusted_p_value: value, flips } of pairs) {
      const item = make("li", this.pairs);
      makeText("span", item, "", inWords(sentence));
      if (value !== null) make("span", item, "notice", ` ${said("evaluate.p_value", { p: value.toPrecision(2) })}`);
      if (!flips.length) continue;
      const names = flips.slice(0, MOST_FLIPS).map((prompt) => prompts[prompt]?.[0] ?? prompt);
      if (flips.length > MOST_FLIPS) names.push("…");
      makeText("span", item, "notice", ` ${said("evaluate.flips", { names: names.join(", ") })}`);
    }
  }

  drawJudge(judge) {
    if (!judge) return;
    const share = judge.consistency === null || judge.consistency === undefined ? "–" : percentWords(judge.consistency);
    put(this.judge, said(judge.is_refused ? "evaluate.judge_refused" : "evaluate.judged", { name: judge.name, share }));
  }
}
