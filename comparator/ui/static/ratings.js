// The ratings of what was voted on: a bar for each interval, what is known of each pair, and which
// pair is worth asking next. Events for the server: "look" with what is rated and by which votes,
// "ask_pair" with two configurations, "export_votes", and "import_votes" with the text of a file.

const ratingsRoot = element.querySelector("#ratings-root");
const ratingsBar = ratingsMake("div", ratingsRoot, "ratings-bar");
const ratingsBy = ratingsChoice(said("ratings.by"), {
  configuration: said("ratings.by_configuration"), model: said("ratings.by_model"),
});
const ratingsOf = ratingsChoice(said("ratings.of"), {
  blind: said("ratings.of_blind"), all: said("ratings.of_all"),
});
const ratingsCount = ratingsMake("span", ratingsBar, "ratings-count");
const ratingsTrouble = ratingsMake("p", ratingsRoot, "error");
const ratingsBody = ratingsMake("div", ratingsRoot, "ratings-body");
const ratingsTools = ratingsMake("div", ratingsRoot, "ratings-tools");
const ratingsFile = ratingsMake("input", null);

ratingsCount.setAttribute("role", "status");
ratingsTrouble.setAttribute("role", "alert");
ratingsButton(ratingsTools, said("ratings.export"), ratingsSave);
const ratingsImport = ratingsButton(ratingsTools, said("ratings.import"), () => ratingsFile.click());
ratingsFile.type = "file";
ratingsFile.accept = ".json,.jsonl";
ratingsFile.addEventListener("change", ratingsTake);
ratingsOf.addEventListener("change", () => { ratingsIsChosen = true; });
ratingsMake("span", ratingsTools, "ratings-hint").textContent = said("ratings.log_hint");

function ratingsMake(kind, parent, name) {
  const node = document.createElement(kind);
  if (name) node.className = name;
  if (parent) parent.append(node);
  return node;
}

function ratingsButton(parent, words, act) {
  const button = ratingsMake("button", parent, "library-button");
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", act);
  return button;
}

function ratingsChoice(title, words) {
  const label = ratingsMake("label", ratingsBar);
  ratingsMake("span", label).textContent = title;
  const select = ratingsMake("select", label);
  for (const [value, text] of Object.entries(words)) {
    const option = ratingsMake("option", select);
    option.value = value;
    option.textContent = text;
  }
  select.addEventListener("change", () => window.setTimeout(ratingsLook));
  return select;
}

// Which votes count is the server's to say until somebody has chosen.
let ratingsIsChosen = false;

function ratingsWanted() {
  return { by: ratingsBy.value, of: ratingsIsChosen ? ratingsOf.value : null };
}

function ratingsLook() {
  trigger("look", ratingsWanted());
}

// Why the votes could not be saved comes the way that they would have come.
function ratingsSave() {
  trigger("export_votes", {});
  window.addEventListener("comparator-taken-away", ({ detail }) => {
    ratingsTrouble.textContent = inWords(detail.trouble);
  }, { once: true });
}

async function ratingsTake() {
  const [file] = ratingsFile.files;
  ratingsFile.value = "";
  if (!file) return;
  if (file.size > RATINGS_BYTES) {
    ratingsTrouble.textContent = said("ratings.too_large", { bytes: RATINGS_BYTES.toLocaleString(LANGUAGE) });
    return;
  }
  trigger("import_votes", { ...ratingsWanted(), text: await file.text() });
}

function ratingsDraw() {
  const view = props.value;
  if (!view || typeof view !== "object") return;
  ratingsTrouble.textContent = inWords(view.trouble);
  ratingsImport.hidden = !view.imports;
  if (!view.ratings) return;
  ratingsBy.value = view.by;
  ratingsOf.value = view.of;
  const { blind, all } = view.votes;
  ratingsCount.textContent = said("ratings.votes", { blind, all });
  if (view.read !== null) ratingsCount.append(` ${said("ratings.read", { count: view.read })} ${view.left_out}`);
  ratingsBody.replaceChildren();
  if (!view.ratings.length) {
    ratingsMake("p", ratingsBody, "ratings-empty").textContent =
      said(all ? "ratings.empty_blind" : "ratings.empty");
    return;
  }
  ratingsTable(view.ratings);
  for (const note of view.notes) ratingsMake("p", ratingsBody, "notice").textContent = inWords(note);
  if (view.next) ratingsNext(view.next, view.by);
  if (view.pairs.length) ratingsPairs(view.pairs);
}

// One scale for all bars, a little wider than what stands on it.
function ratingsScale(rows) {
  const ends = rows.flatMap(({ interval }) => interval);
  const low = Math.min(...ends) - 20;
  const high = Math.max(...ends) + 20;
  return (value) => (100 * (value - low)) / (high - low);
}

function ratingsTable(rows) {
  const table = ratingsMake("table", ratingsScroller(), "ratings-table");
  ratingsMake("caption", table).textContent = said("ratings.caption");
  ratingsHead(table, ["name", "rating", "interval", "votes_head"]);
  const body = ratingsMake("tbody", table);
  const place = ratingsScale(rows);
  for (const row of rows) {
    const line = ratingsMake("tr", body);
    const name = ratingsMake("th", line);
    name.scope = "row";
    ratingsMake("bdi", name).textContent = row.shown;
    ratingsMake("td", line, "number").textContent = Math.round(row.rating);
    ratingsInterval(ratingsMake("td", line, "ratings-interval"), row, place);
    ratingsMake("td", line, "number").textContent = row.votes;
  }
}

function ratingsInterval(cell, { rating, interval: [low, high] }, place) {
  const words = said("ratings.from_to", { low: Math.round(low), high: Math.round(high) });
  ratingsMake("span", cell, "ratings-ends").textContent = words;
  const bar = ratingsMake("span", cell, "ratings-line");
  bar.setAttribute("aria-hidden", "true");
  const range = ratingsMake("i", bar, "ratings-range");
  range.style.left = `${place(low)}%`;
  range.style.width = `${place(high) - place(low)}%`;
  ratingsMake("i", bar, "ratings-point").style.left = `${place(rating)}%`;
  if (place(1000) > 0 && place(1000) < 100) ratingsMake("i", bar, "ratings-mean").style.left = `${place(1000)}%`;
}

function ratingsScroller() {
  const scroller = ratingsMake("div", ratingsBody, "ratings-scroller");
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "group");
  scroller.setAttribute("aria-label", said("ratings.title"));
  return scroller;
}

function ratingsHead(table, names) {
  const line = ratingsMake("tr", ratingsMake("thead", table));
  for (const name of names) {
    const cell = ratingsMake("th", line);
    cell.scope = "col";
    cell.textContent = said(`ratings.${name}`); // name, rating, interval, votes_head, pair, needed
  }
}

// A model alone has no settings that could be put into the form.
function ratingsNext({ a, b, first, second }, by) {
  const line = ratingsMake("p", ratingsBody, "ratings-next");
  ratingsMake("span", line).textContent = said("ratings.next", { first, second });
  if (by === "configuration") ratingsButton(line, said("ratings.ask_next"), () => trigger("ask_pair", { a, b }));
}

function ratingsPairs(pairs) {
  const table = ratingsMake("table", ratingsScroller(), "ratings-table");
  ratingsMake("caption", table).textContent = said("ratings.pairs_caption");
  ratingsHead(table, ["pair", "votes_head", "needed"]);
  const body = ratingsMake("tbody", table);
  for (const pair of pairs) {
    const line = ratingsMake("tr", body);
    const [first, second, share] = pair.probability_a_better < 0.5
      ? [pair.second, pair.first, 1 - pair.probability_a_better]
      : [pair.first, pair.second, pair.probability_a_better];
    const name = ratingsMake("th", line);
    name.scope = "row";
    name.textContent = said("ratings.better", { first, second, share: ratingsShare(share) });
    ratingsMake("td", line, "number").textContent = pair.votes;
    ratingsMake("td", line).textContent = ratingsNeeded(pair);
  }
}

// Certainty is never whole, so it is never rounded to it.
function ratingsShare(share) {
  return `${share > 0.99 ? "> 99" : Math.round(100 * share)}\u00a0%`;
}

function ratingsNeeded({ verdict, votes_needed: count }) {
  if (verdict === "alike") return said("ratings.needed_alike");
  if (count === null) return said("ratings.needed_unknown");
  return count ? said("ratings.needed_about", { count }) : said("ratings.needed_none");
}

// The ratings are made anew whenever somebody comes to see them, and at no other time.
new IntersectionObserver((entries) => {
  if (entries.some(({ isIntersecting }) => isIntersecting)) ratingsLook();
}).observe(ratingsBar);
watch("value", ratingsDraw);
ratingsDraw();
