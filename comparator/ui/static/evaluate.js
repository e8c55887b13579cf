// The Evaluate tab: what the server says of suites comes as the event "comparator-evaluate", part
// by part, and is drawn here. Event for the server: "stop", and those of the scripts before this one.

const LOST_MILLISECONDS = 20_000; // the server tells of a suite that runs every few seconds
const evaluateRoot = element.querySelector("#evaluate-root");
const fresh = new NewSuite(evaluateRoot);
const shown = make("div", evaluateRoot, "evaluate-shown-suite");
shown.hidden = true;
const bar = make("div", shown, "evaluate-bar");
const title = makeText("h2", bar, "", "");
const told = make("p", bar, "evaluate-told");
told.setAttribute("role", "status");
const stopButton = makeButton(bar, "evaluate.stop", () => trigger("stop"));
stopButton.id = "evaluate-stop";
const resumeButton = makeButton(bar, "evaluate.resume", () => trigger("resume", { id: opened.id }));
const runTrouble = make("p", shown, "error");
runTrouble.setAttribute("role", "alert");
const stage = make("p", shown, "notice");
const matrix = new Matrix(shown, (prompt, slot) => panel.ask(opened, prompt, slot));
const panel = new CellPanel(shown, () => matrix.grid.focus({ preventScroll: true }));
const results = new Results(shown);
const keptSuites = new KeptSuites(evaluateRoot, openSuite);

let opened = null;
let isAsked = false; // whether the suite that runs was opened by itself
let lastView = 0; // when the server last told of the suite that is shown

function openSuite(id) {
  trigger("open", { id });
}

function drawOpened(view) {
  const isSame = opened && opened.id === view.id;
  opened = view;
  fresh.start.disabled = false;
  if (isSame) return;
  shown.hidden = false;
  put(title, view.name);
  panel.root.hidden = true;
  matrix.open(view);
  results.open(view);
  shown.scrollIntoView({ block: "start" });
}

function drawLive(view) {
  if (!opened || view.id !== opened.id) return;
  lastView = performance.now();
  show(stopButton, view.is_live);
  stopButton.disabled = view.state === "stopping";
  const signs = view.lines.map((line) => line.slice(1)).join("");
  const isWhole = !signs.includes(".");
  show(resumeButton, !view.is_live && !isWhole);
  const done = [...signs].filter((sign) => sign !== ".").length;
  const words = [stateWords(view.state), said("evaluate.progress", { done, total: signs.length })];
  if (view.position) words.push(said("board.in_line", { number: view.position }));
  if (view.is_live && view.seconds_left !== null) {
    words.push(said("evaluate.left", { time: durationWords(view.seconds_left) }));
  }
  put(told, words.join(" · "));
  told.dataset.state = view.state;
  put(stage, view.is_live && view.stage ? stageWords(view.stage) : "");
  put(runTrouble, inWords(view.trouble));
  matrix.take(view.lines);
  results.count(view.lines, view.is_live);
}

function drawKept(view) {
  keptSuites.draw(view);
  if (!view.entries) return;
  fresh.drawKept(view);
  // A page that was loaded anew finds its suite where it was; one that lost its server, too.
  const isShown = opened && opened.id === view.running;
  const isLost = isShown && performance.now() - lastView > LOST_MILLISECONDS;
  if (view.running && (isLost || (!isAsked && !isShown))) openSuite(view.running);
  isAsked = true;
}

function drawResult(view) {
  if (opened && view.id === opened.id) results.draw(view);
}

const PARTS = {
  read: (view) => fresh.drawPreview(view),
  comparisons: (view) => fresh.drawComparisons(view),
  kept: drawKept,
  opened: drawOpened,
  live: drawLive,
  result: drawResult,
  cell: (view) => panel.draw(view),
};
window.addEventListener("comparator-evaluate", ({ detail }) => PARTS[detail.part](detail.value));
