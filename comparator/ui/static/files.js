// Files of text that are put before the question: read here, never sent before they are asked of.
// This element's value is {files: [{name, text}, …]}; a drop on the prompt adds to it.

const filesRoot = element.querySelector("#files-root");
const filesList = filesNode("ul", filesRoot, "chips");
filesList.setAttribute("aria-label", said("slots.files"));
const filesPicker = filesNode("input", filesRoot);
filesPicker.type = "file";
filesPicker.multiple = true;
filesPicker.hidden = true;
filesPicker.tabIndex = -1;
const filesButton = filesNode("button", filesRoot, "tool", said("slots.add_files"));
filesButton.type = "button";
filesButton.id = "add-files";
filesRoot.prepend(filesButton);
const filesTold = filesNode("p", filesRoot, "files-told");
filesTold.setAttribute("role", "status");

let filesCounts = [];
let filesModels = "";

function filesNode(tag, parent, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  parent.append(node);
  return node;
}

function filesNow() {
  return (props.value && props.value.files) || [];
}

function filesSet(files) {
  props.value = { files };
  filesCounts = [];
  filesDraw();
  filesCount();
}

// Event for the server: "count". Whoever has chosen other models counts anew.
function filesCount() {
  if (filesNow().length) trigger("count");
}

// "21 characters", and the tokens of the model for which it has most.
function filesSize(file, place) {
  const told = filesCounts[place];
  const characters = said("slots.characters", { count: file.text.length.toLocaleString(LANGUAGE) });
  const tokens = told && told.characters === [...file.text].length ? Object.entries(told.tokens) : [];
  if (!tokens.length) return [characters, ""];
  const most = Math.max(...tokens.map(([, count]) => count));
  const words = said("slots.tokens", { count: most.toLocaleString(LANGUAGE) });
  const each = tokens.map(([name, count]) => `${name}: ${count.toLocaleString(LANGUAGE)}`);
  return [`${characters} · ${words}`, each.join("\n")];
}

function filesBytes(text) {
  return new TextEncoder().encode(text).length;
}

// The text of a file, or null where it is none.
async function filesText(file) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.includes("\0") ? null : text;
  } catch {
    return null; // pictures, programs, other alphabets' encodings; folders cannot be read at all
  }
}

async function filesTake(list) {
  const files = [...filesNow()];
  const told = [];
  let bytes = files.reduce((sum, file) => sum + filesBytes(file.text), 0);
  for (const file of list) {
    const values = { name: file.name, most: FILES_MOST, bytes: FILES_BYTES.toLocaleString(LANGUAGE) };
    if (files.length >= FILES_MOST) {
      told.push(said("slots.too_many_files", values));
      break;
    }
    if (bytes + file.size > FILES_BYTES) {
      told.push(said("slots.file_too_large", values));
      continue;
    }
    const text = await filesText(file);
    if (text === null) {
      told.push(said("slots.no_text_file", values));
      continue;
    }
    bytes += filesBytes(text);
    files.push({ name: file.name, text });
  }
  filesSet(files);
  filesTold.textContent = told.join(" ");
}

function filesDraw() {
  filesList.replaceChildren();
  filesNow().forEach((file, place) => {
    const item = filesNode("li", filesList, "chip");
    const [size, each] = filesSize(file, place);
    const label = filesNode("span", item, "chip-edit", `${file.name} · ${size}`);
    label.title = [file.name, each].filter(Boolean).join("\n");
    const remove = filesNode("button", item, "chip-remove", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", said("slots.take_file_away", { name: file.name }));
    remove.addEventListener("click", () => {
      filesTold.textContent = "";
      filesSet(filesNow().filter((_, other) => other !== place));
      (filesList.querySelector("button") || filesButton).focus();
    });
  });
}

function filesOver(event) {
  const question = event.target instanceof Element && event.target.closest("#question");
  return question && [...(event.dataTransfer?.types || [])].includes("Files") ? question : null;
}

function filesMark(question) {
  document.querySelector("#question")?.classList.toggle("dropping", Boolean(question));
}

filesButton.addEventListener("click", () => filesPicker.click());
filesPicker.addEventListener("change", () => {
  filesTake([...filesPicker.files]);
  filesPicker.value = ""; // the same file may come again
});
// A file that is dropped beside its place would otherwise be opened in the page's stead.
document.addEventListener("dragover", (event) => {
  const question = filesOver(event);
  filesMark(question);
  if (question) event.preventDefault();
}, true);
document.addEventListener("drop", (event) => {
  const question = filesOver(event);
  filesMark(null);
  if (!question) return;
  event.preventDefault();
  event.stopPropagation();
  filesTake([...event.dataTransfer.files]);
}, true);
window.addEventListener("comparator-file-tokens", (event) => {
  filesCounts = event.detail;
  filesDraw();
});
window.addEventListener("comparator-chosen", () => {
  const models = JSON.stringify(window.comparatorChosen);
  if (models === filesModels) return;
  filesModels = models;
  filesCount();
});
watch("value", filesDraw);
filesDraw();
