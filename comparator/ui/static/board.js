// The board: draws the views that the server sends, and takes keys and clicks back to it.
// Events for the server: "stop_column" and "retry_column" with the slot.

const root = element.querySelector("#board-root");
const bar = make("div", root, "board-bar");
const note = make("p", bar, "board-note");
note.setAttribute("role", "status");
const modes = make("div", bar, "modes");
modes.setAttribute("role", "group");
modes.setAttribute("aria-label", "How answers are shown");
const refusal = make("p", root, "error board-error");
refusal.setAttribute("role", "alert");
const grid = make("div", root, "replies");
const hint = make("p", root, "hint");
const spoken = make("p", root, "unseen"); // what a screen reader is told of the columns
spoken.setAttribute("role", "status");
hint.textContent = "The answers appear here, one column a model.";

let columns = [];
let run = null;
let states = [];

for (const mode of ["Markdown", "Plain text"]) {
  const button = make("button", modes);
  button.type = "button";
  button.textContent = mode;
  button.addEventListener("click", () => setMode(mode));
}

function setMode(mode) {
  root.dataset.mode = mode === "Markdown" ? "markdown" : "plain";
  for (const button of modes.children) {
    button.setAttribute("aria-pressed", String(button.textContent === mode));
  }
}

// Where the libraries cannot be had, answers stay plain text, and the page says why.
function withoutMarkdown() {
  const [button] = modes.children;
  setMode("Plain text");
  button.disabled = true;
  button.title = "What draws Markdown could not be loaded. Reload the page to try again.";
}

function librariesAddress() {
  const page = window.gradio_config?.root || document.baseURI;
  return `${new URL(page, document.baseURI).pathname.replace(/\/$/, "")}${LIBRARIES}`;
}

function fresh(view) {
  run = view.run;
  columns = view.columns.map((_, slot) => new Column(slot, stopColumn, retryColumn));
  states = [];
  grid.replaceChildren(...columns.map((column) => column.root));
  grid.dataset.count = String(columns.length);
}

function draw() {
  const view = props.value;
  if (!view || typeof view !== "object") return;
  refusal.textContent = view.refused || "";
  note.textContent = view.note || "";
  showRunning();
  if (view.refused) return;
  if (view.run !== run) fresh(view);
  hint.hidden = columns.length > 0;
  view.columns.forEach((column, slot) => columns[slot].draw(column));
  speak(view.columns);
  drawPanels(view);
}

// What stands below the answers: each panel has its root and draws what it needs of the view.
function drawPanels(view) {
  drawExport(element.querySelector("#export-root"), view);
  drawFairPlay(element.querySelector("#fair-play-root"), view);
  drawMachine(element.querySelector("#machine-root"), view);
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
function speak(views) {
  const news = views.filter((view, slot) => view.state !== states[slot] && view.state !== "waiting");
  states = views.map((view) => view.state);
  const words = news.map((view) => [`${view.name}: ${view.state}.`, view.error].join(" ").trim());
  if (words.length) spoken.textContent = words.join(" ");
}

function stopColumn(slot) {
  trigger("stop_column", { slot });
}

function retryColumn(slot) {
  trigger("retry_column", { slot });
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
setMode("Markdown");
loadMarkdown(librariesAddress(), withoutMarkdown);
showRunning();
watch("value", draw);
draw();
