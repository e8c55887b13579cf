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

function tellTaken(taken, outcome, shown = "") {
  const { name, trouble, note } = taken;
  const detail = { outcome, name, trouble, note, shown };
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
  tellTaken(taken, "export.saved");
}

// Outside of a secure page, or without leave, a browser has no clipboard for scripts: the menu that
// has asked shows the text then.
async function copyTaken(taken) {
  try {
    await navigator.clipboard.writeText(taken.text);
    tellTaken(taken, "export.copied");
  } catch {
    tellTaken(taken, "export.shown", taken.text);
  }
}

watch("value", take);
