// What belongs to the whole page: its language, its help, and the sign that a long run is done.

const LONG_RUN_MILLISECONDS = 10_000;
// What is remembered in this browser, and what holds before anybody has chosen.
const CHOICES = { keys: true, notify: false };
const help = element.querySelector("#help");
let runBegan = null;
let usualTitle = null; // while another stands in its place

// Gradio names the browser's language there, when it has its own words, and not that of the texts.
function sayLanguage() {
  const spoken = said("page.language");
  if (document.documentElement.lang !== spoken) document.documentElement.lang = spoken;
}

function remembered(name) {
  try {
    const kept = window.localStorage.getItem(`comparator-${name}`);
    return kept === null ? CHOICES[name] : kept === "on";
  } catch {
    return CHOICES[name]; // a browser that keeps nothing
  }
}

function remember(name, on) {
  try {
    window.localStorage.setItem(`comparator-${name}`, on ? "on" : "off");
  } catch {
    // It holds until the page is left.
  }
  CHOICES[name] = on;
}

function put(kind, parent, text = "", name = "") {
  const node = document.createElement(kind);
  if (name) node.className = name;
  node.textContent = text;
  parent.append(node);
  return node;
}

function drawHelp() {
  put("h2", help, said("page.help")).id = "help-title";
  const list = put("dl", help);
  for (const { keys, together, text } of SHORTCUTS) {
    const pair = put("div", list);
    const shown = put("dt", pair);
    keys.forEach((key, place) => {
      if (place) shown.append(together ? " + " : " ");
      put("kbd", shown, key);
    });
    put("dd", pair, said(text));
  }
  drawChoice("keys");
  drawChoice("notify");
  const close = put("button", help, said("page.help_close"));
  close.type = "button";
  close.id = "help-close";
  close.addEventListener("click", () => help.close());
}

function drawChoice(name) {
  const label = put("label", help);
  const box = put("input", label);
  box.type = "checkbox";
  box.id = `help-${name}`;
  box.checked = remembered(name);
  box.addEventListener("change", () => remember(name, box.checked));
  put("span", label, said(`page.choice_${name}`)); // keys, notify
}

// The browser keeps the focus inside, closes at Esc, and gives the focus back.
function openHelp() {
  if (!help.open) help.showModal();
}

function runChanged() {
  const runs = document.body.classList.contains("comparing");
  if (runs && runBegan === null) runBegan = performance.now();
  if (runs || runBegan === null) return;
  const took = performance.now() - runBegan;
  runBegan = null;
  if (took >= LONG_RUN_MILLISECONDS && remembered("notify")) tellDone();
}

function tellDone() {
  usualTitle ??= document.title;
  document.title = `${said("page.done_title")} · ${usualTitle}`;
  playSound();
}

function usualAgain() {
  if (usualTitle !== null) document.title = usualTitle;
  usualTitle = null;
}

// Two short notes, made here: no file is fetched. A browser that forbids sound stays silent.
function playSound() {
  if (!window.AudioContext) return;
  const context = new AudioContext();
  const loudness = context.createGain();
  loudness.connect(context.destination);
  loudness.gain.setValueAtTime(0.08, context.currentTime);
  loudness.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.6);
  [660, 880].forEach((hertz, place) => {
    const note = context.createOscillator();
    note.frequency.value = hertz;
    note.connect(loudness);
    note.start(context.currentTime + 0.2 * place);
    note.stop(context.currentTime + 0.2 * place + 0.4);
    if (place) note.onended = () => context.close();
  });
}

element.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  goToPrompt();
});
element.querySelector("#help-open").addEventListener("click", openHelp);
for (const sign of ["pointerdown", "keydown"]) document.addEventListener(sign, usualAgain, true);
window.addEventListener("focus", usualAgain);
new MutationObserver(runChanged).observe(document.body, { attributeFilter: ["class"] });
new MutationObserver(sayLanguage).observe(document.documentElement, { attributeFilter: ["lang"] });
sayLanguage();
drawHelp();
