// What is taken away comes here as text and becomes a file of the browser, or goes into the
// clipboard; no address of the server is opened for it. What became of it is told to the menus.

let takenNumber = props.value ? props.value.number : 0;

function take() {
  const taken = props.value;
  if (!taken || taken.number === takenNumber) return;
  takenNumber = taken.number;
  if (taken.trouble) tellTaken(taken, "");
  else if (taken.how === "copy") copyTaken(taken);
  else saveTaken(taken);
}

function tellTaken(taken, outcome) {
  const { name, trouble, note } = taken;
  const detail = { outcome, name, trouble, note };
  window.dispatchEvent(new CustomEvent("comparator-taken-away", { detail }));
}

function saveTaken(taken) {
  // Some spreadsheets read UTF-8 by this sign alone.
  const parts = taken.form === "csv" ? ["\ufeff", taken.text] : [taken.text];
  const address = URL.createObjectURL(new Blob(parts, { type: `${taken.media_type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = taken.name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 60_000);
  tellTaken(taken, "saved");
}

// Outside of a secure page, or without leave, a browser has no clipboard for scripts.
async function copyTaken(taken) {
  try {
    await navigator.clipboard.writeText(taken.text);
    tellTaken(taken, "copied");
  } catch {
    showTaken(taken);
    tellTaken(taken, "shown");
  }
}

function showTaken(taken) {
  const dialog = document.createElement("dialog");
  dialog.className = "taken-away";
  dialog.setAttribute("aria-label", said("export.copy_by_hand"));
  const words = document.createElement("p");
  words.textContent = said("export.copy_by_hand");
  const field = document.createElement("textarea");
  field.value = taken.text;
  field.readOnly = true;
  field.rows = 14;
  field.setAttribute("aria-label", taken.name);
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = said("export.close");
  close.addEventListener("click", () => dialog.close());
  dialog.append(words, field, close);
  dialog.addEventListener("close", () => dialog.remove());
  element.append(dialog);
  dialog.showModal();
  field.select();
}

watch("value", take);
