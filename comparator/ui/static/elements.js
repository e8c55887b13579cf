// Elements of the board, and what is done with them everywhere.

function make(tag, parent, className) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (parent) parent.append(node);
  return node;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function makeButton(parent, className, words, action) {
  const button = make("button", parent, className);
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", action);
  return button;
}

// A button without words of its own: its sign comes from the styles, so that it is no text of the
// answer it stands in, and what it does is its label.
function makeSign(parent, className, label, action) {
  const button = makeButton(parent, `board-sign ${className}`, "", action);
  nameSign(button, label);
  return button;
}

function nameSign(button, label) {
  button.setAttribute("aria-label", label);
  button.title = label;
}

// Text of strangers has its own reading direction, and none of it turns what stands around it.
function makeText(tag, parent, className) {
  const node = make(tag, parent, className);
  node.dir = "auto";
  return node;
}
