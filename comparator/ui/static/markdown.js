// Markdown as document nodes, built one by one: a model's text never becomes HTML source, so
// nothing in it can be a script, an image request or a form. Grows by appending: finished blocks
// are never touched again, only the last one is made anew.

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(?:\s+(.*)|$)/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$/;
const DEEPEST = 8;

class MarkdownView {
  constructor(root) {
    this.root = root;
    this.clear();
  }

  clear() {
    this.root.replaceChildren();
    this.pending = "";
    this.openNodes = [];
    this.openCode = null;
  }

  append(text) {
    this.pending += text;
    if (this.openCode && this.growCode()) return;
    const lines = this.pending.split("\n");
    const blocks = splitBlocks(lines);
    const last = blocks[blocks.length - 1];
    for (const node of this.openNodes) node.remove();
    const fragment = document.createDocumentFragment();
    for (const block of blocks.slice(0, -1)) renderBlock(block, fragment, 0);
    this.openNodes = [];
    this.openCode = null;
    if (last) {
      const before = fragment.childNodes.length;
      renderBlock(last, fragment, 0);
      this.openNodes = Array.from(fragment.childNodes).slice(before);
      this.pending = lines.slice(last.from).join("\n");
      if (last.kind === "code" && !last.closed) this.rememberCode(last);
    }
    this.root.append(fragment);
  }

  rememberCode(block) {
    const code = this.openNodes[0].querySelector("code");
    this.openCode = { node: code, fence: block.fence, shown: block.body.length, size: this.pending.length };
  }

  // Append to a code block that is still open, without making it anew.
  growCode() {
    const added = this.pending.slice(this.openCode.size);
    const lineStart = this.pending.lastIndexOf("\n", this.openCode.size - 1) + 1;
    if (this.pending.slice(lineStart).includes(this.openCode.fence[0].repeat(3))) return false;
    this.openCode.node.append(added);
    this.openCode.size = this.pending.length;
    return true;
  }
}

function splitBlocks(lines) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const block = readBlock(lines, at);
    blocks.push({ ...block, from: at });
    at = block.to;
  }
  return blocks;
}

function readBlock(lines, at) {
  const line = lines[at];
  const fence = line.match(FENCE);
  if (fence) return readCode(lines, at, fence);
  const heading = line.match(HEADING);
  if (heading) return { kind: "heading", level: heading[1].length, text: heading[2], to: at + 1 };
  if (RULE.test(line)) return { kind: "rule", to: at + 1 };
  if (QUOTE.test(line)) return readQuote(lines, at);
  if (ITEM.test(line)) return readList(lines, at);
  if (line.includes("|") && at + 1 < lines.length && TABLE_LINE.test(lines[at + 1])) {
    return readTable(lines, at);
  }
  return readParagraph(lines, at);
}

function readCode(lines, at, fence) {
  const body = [];
  let to = at + 1;
  let closed = false;
  for (; to < lines.length; to += 1) {
    const end = lines[to].match(/^ {0,3}(`{3,}|~{3,})\s*$/);
    if (end && end[1][0] === fence[1][0] && end[1].length >= fence[1].length) {
      closed = true;
      to += 1;
      break;
    }
    body.push(lines[to]);
  }
  return { kind: "code", body: body.join("\n"), fence: fence[1], language: fence[2].trim(), closed, to };
}

function readQuote(lines, at) {
  const inner = [];
  let to = at;
  for (; to < lines.length && QUOTE.test(lines[to]); to += 1) inner.push(lines[to].match(QUOTE)[1]);
  return { kind: "quote", lines: inner, to };
}

function readTable(lines, at) {
  const rows = [];
  let to = at;
  for (; to < lines.length && lines[to].includes("|"); to += 1) {
    if (to !== at + 1) rows.push(cells(lines[to]));
  }
  return { kind: "table", rows, to };
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

function readList(lines, at) {
  const first = lines[at].match(ITEM);
  const ordered = /\d/.test(first[2]);
  const indent = first[1].length;
  const items = [];
  let to = at;
  for (; to < lines.length; to += 1) {
    const line = lines[to];
    const item = line.match(ITEM);
    const depth = line.search(/\S/);
    if (item && item[1].length <= indent + 1) {
      if (/\d/.test(item[2]) !== ordered || RULE.test(line)) break;
      items.push([item[3] || ""]);
    } else if (!line.trim()) {
      if (!continuesList(lines, to, indent)) break;
      items[items.length - 1].push("");
    } else if (depth > indent) {
      items[items.length - 1].push(line.slice(Math.min(depth, indent + (ordered ? 3 : 2))));
    } else if (lines[to - 1].trim() && !startsBlock(line)) {
      items[items.length - 1].push(line);
    } else {
      break;
    }
  }
  return { kind: "list", ordered, start: ordered ? parseInt(first[2], 10) : 1, items, to };
}

function continuesList(lines, at, indent) {
  const next = lines.slice(at + 1).find((line) => line.trim());
  if (next === undefined) return true;
  const item = next.match(ITEM);
  return next.search(/\S/) > indent || Boolean(item && item[1].length <= indent + 1);
}

function startsBlock(line) {
  return [FENCE, HEADING, RULE, QUOTE, ITEM].some((pattern) => pattern.test(line));
}

function readParagraph(lines, at) {
  let to = at + 1;
  while (to < lines.length && lines[to].trim() && !startsBlock(lines[to])) to += 1;
  return { kind: "paragraph", text: lines.slice(at, to).join("\n"), to };
}

function make(tag, parent, className) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (parent) parent.append(node);
  return node;
}

function renderBlock(block, parent, depth) {
  if (block.kind === "heading") renderInline(block.text, make(`h${block.level}`, parent));
  else if (block.kind === "rule") make("hr", parent);
  else if (block.kind === "code") make("code", make("pre", parent)).append(block.body);
  else if (block.kind === "quote") renderLines(block.lines, make("blockquote", parent), depth + 1);
  else if (block.kind === "table") renderTable(block, parent);
  else if (block.kind === "list") renderList(block, parent, depth + 1);
  else renderInline(block.text, make("p", parent));
}

function renderLines(lines, parent, depth) {
  if (depth > DEEPEST) {
    parent.append(lines.join("\n"));
    return;
  }
  for (const block of splitBlocks(lines)) renderBlock(block, parent, depth);
}

function renderList(block, parent, depth) {
  const list = make(block.ordered ? "ol" : "ul", parent);
  if (block.ordered && block.start !== 1) list.start = block.start;
  for (const lines of block.items) {
    const item = make("li", list);
    renderLines(lines, item, depth);
    const only = item.children.length && item.children[0];
    if (only && only.tagName === "P" && !lines.includes("")) only.replaceWith(...only.childNodes);
  }
}

function renderTable(block, parent) {
  const table = make("table", make("div", parent, "table-frame"));
  block.rows.forEach((row, number) => {
    const line = make("tr", table);
    for (const cell of row) renderInline(cell, make(number ? "td" : "th", line));
  });
}

const INLINE = [
  [/^\\([\\`*_{}[\]()#+\-.!|~>])/, (m, parent) => parent.append(m[1])],
  [/^(`+)(?!`)([\s\S]*?[^`])\1(?!`)/, (m, parent) => make("code", parent).append(m[2].trim())],
  [/^\*\*(?=\S)([\s\S]*?\S)\*\*(?!\*)/, (m, parent, d) => renderInline(m[1], make("strong", parent), d)],
  [/^__(?=\S)([\s\S]*?\S)__(?!\w)/, (m, parent, d) => renderInline(m[1], make("strong", parent), d), true],
  [/^\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)/, (m, parent, d) => renderInline(m[1], make("em", parent), d)],
  [/^_(?=[^\s_])([\s\S]*?[^\s_])_(?!\w)/, (m, parent, d) => renderInline(m[1], make("em", parent), d), true],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m, parent, d) => renderInline(m[1], make("s", parent), d)],
  [/^!\[([^\]]*)\]\(([^()\s]*)[^()]*\)/, (m, parent) => link(parent, m[2], `image: ${m[1] || m[2]}`)],
  [/^\[([^\][]+)\]\(([^()\s]+)[^()]*\)/, (m, parent) => link(parent, m[2], m[1])],
  [/^https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?]/, (m, parent) => link(parent, m[0], m[0]), true],
  [/^\n/, (_m, parent) => make("br", parent)],
];

function renderInline(text, parent, depth = 0) {
  if (depth > DEEPEST) {
    parent.append(text);
    return;
  }
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const jump = text.slice(at).search(/[\\`*_~![\nh]/);
    if (jump < 0) break;
    plain += text.slice(at, at + jump);
    at += jump;
    const rest = text.slice(at, at + 4000);
    const inWord = /\w$/.test(plain);
    const found = INLINE.map(([pattern, put, apart]) => [!(apart && inWord) && rest.match(pattern), put])
      .find(([match]) => match);
    if (found) {
      if (plain) parent.append(plain);
      plain = "";
      found[1](found[0], parent, depth + 1);
      at += found[0][0].length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  parent.append(plain + text.slice(at));
}

// Links are shown, never followed by themselves; only addresses of the web become links.
function link(parent, address, label) {
  if (!/^https?:\/\//i.test(address)) {
    parent.append(label);
    return;
  }
  const node = make("a", parent);
  node.href = address;
  node.target = "_blank";
  node.rel = "noopener noreferrer nofollow";
  node.title = address;
  node.append(label);
}
