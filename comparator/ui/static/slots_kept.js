// What is remembered in this browser: the slots, the settings and the system prompt that were used
// last, for its next visit; and of the prompt what this tab needs when it is loaded anew. The
// server says what of it still holds (hosting/page_start.py).

const KEPT = "multi-llm-comparator";
const KEPT_WAIT_MS = 300;
let keptForm = null;
let keptTimer = 0;
let keptTouched = false;

function keptWrite(store, key, value) {
  try {
    window[store].setItem(`${KEPT}.${key}`, JSON.stringify(value));
    return true;
  } catch {
    return false; // a browser that keeps nothing, or no room
  }
}

function keptRead(store, key) {
  try {
    return JSON.parse(window[store].getItem(`${KEPT}.${key}`));
  } catch {
    return null;
  }
}

function keptNow() {
  window.clearTimeout(keptTimer);
  keptTimer = 0;
  if (!keptTouched || !keptForm) return;
  const { prompt, system_prompt, together, ...form } = keptForm;
  const own = slotsOwn();
  const catalogue = window.comparatorCatalogue || {};
  const slots = slotsModels().slice(0, own.length).map((model, place) => {
    return { model, name: (catalogue[model] || [""])[0], settings: own[place] };
  });
  if (!slots.some((slot) => slot.model)) return; // there are no models, or none yet
  keptWrite("localStorage", "form", { slots, form, system_prompt, together });
  keptWrite("sessionStorage", "prompt", prompt);
  linkForget();
}

function keptSoon() {
  if (!keptTouched || keptTimer) return;
  keptTimer = window.setTimeout(keptNow, KEPT_WAIT_MS);
}

function keptReset() {
  keptTouched = false;
  window.clearTimeout(keptTimer);
  keptTimer = 0;
  try {
    window.localStorage.removeItem(`${KEPT}.form`);
  } catch {
    // nothing was kept
  }
  linkForget();
  trigger("reset");
}

// Called whenever a field of the form has changed.
window.comparatorForm = (names, values) => {
  keptForm = Object.fromEntries(names.map((name, place) => [name, values[place]]));
  keptSoon();
};

function keptTouch(event) {
  if (!event.isTrusted || keptTouched) return;
  keptTouched = true;
  keptSoon();
}

// What a link or the server put into the form is not remembered before a person has a hand in it.
for (const kind of ["input", "click", "keydown"]) document.addEventListener(kind, keptTouch, true);
window.addEventListener("pagehide", () => keptTimer && keptNow());
