// The board: draws the views that the server sends, and takes keys and clicks back to it.
// Events for the server: "stop_column", "retry_column", "regenerate_column" and "continue_column"
// with the slot, "ask_on" with the question, "edit_turn" with that and the turn's number, and
// "show_tokens"; "vote", "show_names" and "take_back" of blind.js.

const NARROW = window.matchMedia("(max-width: 700px)");
const MODES = ["markdown", "plain", "difference", "tokens"];
const root = element.querySelector("#board-root");
const formBar = make("div", root, "form-bar");
const formButton = makeButton(formBar, "form-fold", "", () => foldForm(!isFormFolded()));
makeButton(formBar, "bar-stop", said("board.stop"), () => press("stop"));
const bar = make("div", root, "board-bar");
const note = make("p", bar, "board-note");
note.setAttribute("role", "status");
const together = new Together(bar);
const modes = make("div", bar, "modes");
modes.setAttribute("role", "group");
modes.setAttribute("aria-label", said("board.modes"));
const refusal = make("p", root, "error board-error");
refusal.setAttribute("role", "alert");
const marks = new Marks(root, () => trigger("show_tokens", {}));
const grid = make("div", null, "replies");
const tabs = new ColumnTabs(root, grid);
root.append(grid);
const voting = new VoteRow(root);
const pace = new Pace(draw);
const hint = make("p", root, "hint");
const followUp = new FollowUp(root, askOn, editTurn);
const spoken = make("p", root, "unseen"); // what a screen reader is told of the columns
spoken.setAttribute("role", "status");
hint.textContent = said("board.hint");

let columns = [];
let views = []; // of the columns, as they are drawn
let run = null;
let states = [];
let shown = {}; // what each panel has drawn

for (const mode of MODES) {
  const button = makeButton(modes, "", said(`board.mode_${mode}`), () => setMode(mode));
  button.dataset.mode = mode;
}

// Differences and tokens are marks in the plain text.
function setMode(mode) {
  root.dataset.mode = mode === "markdown" ? "markdown" : "plain";
  for (const button of modes.children) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  marks.setMode(mode, columns, views);
}

// Where the libraries cannot be had, answers stay plain text, and the page says why.
function withoutMarkdown() {
  setMode("plain");
  for (const [mode, why] of [["markdown", "no_markdown"], ["difference", "no_difference"]]) {
    const button = modes.querySelector(`[data-mode='${mode}']`);
    button.disabled = true;
    button.title = said(`board.${why}`);
  }
}

function librariesAddress() {
  const page = window.gradio_config?.root || document.baseURI;
  return `${new URL(page, document.baseURI).pathname.replace(/\/$/, "")}${LIBRARIES}`;
}

function fresh(view) {
  run = view.run;
  const actions = {
    stop: (slot) => trigger("stop_column", { slot }),
    retry: (slot) => trigger("retry_column", { slot }),
    regenerate: (slot) => trigger("regenerate_column", { slot }),
    goOn: (slot) => trigger("continue_column", { slot }),
    edit: (turn, question) => followUp.edit(turn, question),
    widen,
  };
  columns = view.columns.map((_, slot) => new Column(slot, actions));
  states = [];
  delete grid.dataset.wide;
  grid.replaceChildren(...columns.map((column) => column.root));
  grid.dataset.count = String(columns.length);
  grid.dataset.run = String(run);
  tabs.fresh(columns.length);
  together.watch(columns);
  marks.fresh();
  followUp.fresh();
  foldForm(true);
}

function draw() {
  const view = props.value;
  if (!view || typeof view !== "object") return;
  put(refusal, inWords(view.refused));
  const inLine = view.position ? said("board.in_line", { number: view.position }) : "";
  put(note, [inLine, inWords(view.note)].filter(Boolean).join(" "));
  showRunning();
  if (view.refused) return;
  const isFresh = view.run !== run;
  if (isFresh) fresh(view);
  views = pace.of(view);
  hint.hidden = columns.length > 0;
  views.forEach((column, slot) => columns[slot].draw(column));
  if (isFresh) columns.forEach(({ answer }) => { answer.scrollTop = answer.scrollHeight; });
  marks.draw(columns, views);
  tabs.draw(views);
  followUp.draw(view);
  voting.draw(view);
  speak();
  drawPanels(view);
}

// What stands below the answers: each panel has its root and draws what it needs of the view, which
// is what it is told when that has changed, and not with every word of an answer.
function drawPanels(whole) {
  const isBlind = Boolean(whole.vote?.blind);
  const view = isBlind ? { ...whole, columns: [] } : whole; // they tell names and figures
  const { run: number, running, comparison } = view;
  const common = [number, running, comparison, isBlind, views.map(({ state, attempt }) => [state, attempt])];
  const panels = [
    ["export", drawExport, null],
    ["fair-play", drawFairPlay, view.fair_play],
    ["machine", drawMachine, view.machine],
  ];
  for (const [name, drawPanel, own] of panels) {
    const mark = JSON.stringify([common, own]);
    if (shown[name] === mark) continue;
    shown[name] = mark;
    drawPanel(element.querySelector(`#${name}-root`), view);
  }
}

function showRunning() {
  const running = Boolean(props.value && props.value.running);
  document.body.classList.toggle("comparing", running);
  for (const [id, idle] of [["run", running], ["stop", !running]]) {
    const button = document.querySelector(`button#${id}, #${id} button`);
    if (!button) return window.setTimeout(showRunning, 50); // the page is still being put together
    button.setAttribute("aria-disabled", String(idle));
  }
}

// Every change of a state is said once and politely; how far a load has come is not.
function speak() {
  const news = views.filter((view, slot) => view.state !== states[slot] && view.state !== "waiting");
  states = views.map((view) => view.state);
  const words = news.map((view) => [`${view.name}: ${stateWord(view.state)}.`, inWords(view.error)].join(" ").trim());
  if (words.length) spoken.textContent = words.join(" ");
}

// One column fills the board, and back.
function widen(slot) {
  const isWide = grid.dataset.wide !== String(slot);
  if (isWide) grid.dataset.wide = String(slot);
  else delete grid.dataset.wide;
  columns.forEach((column) => {
    column.root.classList.toggle("is-wide", isWide && column.slot === slot);
    column.setWide(isWide && column.slot === slot);
  });
}

function askOn(question) {
  trigger("ask_on", { question });
}

function editTurn(turn, question) {
  trigger("edit_turn", { turn, question });
}

// On a narrow screen the form is folded once there are columns; the styles know which is narrow.
function foldForm(isFolded) {
  document.body.classList.toggle("form-folded", isFolded && columns.length > 0);
  formBar.hidden = !columns.length;
  put(formButton, said(isFormFolded() ? "board.show_form" : "board.hide_form"));
  formButton.setAttribute("aria-expanded", String(!isFormFolded()));
}

// What the styles of a narrow screen ask for; they cannot ask for its width themselves.
function noteWidth() {
  document.body.classList.toggle("narrow", NARROW.matches);
}

function isFormFolded() {
  return document.body.classList.contains("form-folded");
}

function press(id) {
  const button = document.querySelector(`button#${id}, #${id} button`);
  if (button) button.click();
}

function inPrompt(event) {
  return event.target instanceof Element && event.target.closest("#prompt, #system-prompt");
}

// Enter runs (not while an input method composes a character), Escape stops.
function keyDown(event) {
  const composing = event.isComposing || event.keyCode === 229;
  if (event.key === "Enter" && inPrompt(event) && !composing && !event.shiftKey) {
    event.preventDefault();
    event.stopPropagation();
    press("run");
  } else if (event.key === "Escape" && document.body.classList.contains("comparing")) {
    press("stop");
  }
}

// Gradio's text field would take Shift+Enter as "submit"; here it starts a new line.
function keyPress(event) {
  if (event.key === "Enter" && event.shiftKey && inPrompt(event)) event.stopPropagation();
}

document.addEventListener("keydown", keyDown, true);
document.addEventListener("keypress", keyPress, true);
element.addEventListener("told", ({ detail }) => { spoken.textContent = detail; });
setMode("markdown");
loadMarkdown(librariesAddress(), withoutMarkdown);
NARROW.addEventListener("change", noteWidth);
noteWidth();
showRunning();
foldForm(false);
watch("value", draw);
draw();
