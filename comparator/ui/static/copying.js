// Copying an answer or a block of code. The clipboard's own door is open to pages by https and of
// this machine alone; elsewhere a selection is copied, as by hand.

const COPIED_MILLISECONDS = 1500;

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const field = make("textarea", document.body, "unseen");
  field.value = text;
  field.select();
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch {
    // a browser without it: what is said below is all that can be done
  }
  field.remove();
  if (focused) focused.focus({ preventScroll: true });
  return copied;
}

// Copy, and say what came of it on the button and to a screen reader.
async function copyFrom(button, text) {
  const copied = await copyText(text);
  const words = said(copied ? "board.copied" : "board.not_copied");
  button.dataset.copied = String(copied);
  button.title = words;
  button.dispatchEvent(new CustomEvent("told", { bubbles: true, detail: words }));
  window.setTimeout(() => {
    delete button.dataset.copied;
    button.title = button.getAttribute("aria-label");
  }, copied ? COPIED_MILLISECONDS : 4 * COPIED_MILLISECONDS);
}

// Give every block of code of a text that is over its button.
function addCodeCopies(root) {
  for (const code of root.querySelectorAll("pre > code")) {
    if (code.nextElementSibling) continue;
    const label = said("board.copy_code");
    const button = makeSign(code.parentElement, "copy", label, () =>
      copyFrom(button, code.textContent.replace(/\n$/, "")));
  }
}
