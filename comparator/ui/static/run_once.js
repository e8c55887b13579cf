// Fifty clicks on Run are one: until the board has answered the first, further ones are none, and
// while a comparison runs the note that it does is asked for once while it stands there.

const RUN_ANSWER_MS = 1000; // the board may have nothing new to show, such as the same refusal
const RUN_NOTE_MS = 4000;
let runPressed = 0;
let runNoted = -RUN_NOTE_MS;

function runIsRepeated() {
  const now = performance.now();
  if (document.body.classList.contains("comparing")) {
    if (now - runNoted < RUN_NOTE_MS) return true;
    runNoted = now;
    return false;
  }
  if (runPressed && now - runPressed < RUN_ANSWER_MS) return true;
  runPressed = now;
  const board = document.querySelector("#board-root");
  if (board) runAnswer.observe(board, { childList: true, attributes: true, subtree: true });
  return false;
}

// The board's next change is the answer; what comes after it is not looked at.
const runAnswer = new MutationObserver(() => {
  runPressed = 0;
  runAnswer.disconnect();
});

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element && event.target.closest("#run")) || !runIsRepeated()) return;
  event.preventDefault();
  event.stopPropagation();
}, true);
document.addEventListener("input", () => {
  runPressed = 0;
}, true);
