// Formulas in Markdown, a plugin of markdown-it: $x$ and \(x\) in a line, $$x$$ and \[x\] apart.
// KaTeX makes MathML of them, which browsers draw themselves; what it refuses stays text.

const LONGEST_FORMULA = 4000; // characters
const MOST_KEPT = 500;
const CLOSING = { $: "$", $$: "$$", "\\(": "\\)", "\\[": "\\]" };
const typesetBefore = new Map();

function formulas(markdown) {
  const alt = ["paragraph", "reference", "blockquote", "list"];
  markdown.inline.ruler.before("escape", "formula", readInlineFormula);
  markdown.block.ruler.before("fence", "formula_block", readBlockFormula, { alt });
  markdown.renderer.rules.formula = (tokens, at) => typeset(tokens[at], "code");
  markdown.renderer.rules.formula_block = (tokens, at) => typeset(tokens[at], "p");
  markdown.renderer.rules.formula_open = (tokens, at) => asText(tokens[at], "p");
}

function typeset(token, tag) {
  const isDisplay = ["$$", "\\["].includes(token.markup);
  const key = `${isDisplay} ${token.content}`;
  if (!typesetBefore.has(key)) {
    if (typesetBefore.size >= MOST_KEPT) typesetBefore.clear();
    typesetBefore.set(key, mathOf(token.content, isDisplay));
  }
  const math = typesetBefore.get(key);
  if (!math) return asText(token, tag);
  return tag === "p" ? `<p class="formula">${math}</p>\n` : math;
}

// Return a formula as MathML; empty where it is none.
function mathOf(content, displayMode) {
  if (content.length > LONGEST_FORMULA) return "";
  const limits = { maxExpand: 200, maxSize: 20, trust: false, strict: "ignore" };
  try {
    return window.katex.renderToString(content, { output: "mathml", displayMode, ...limits });
  } catch {
    return "";
  }
}

function asText(token, tag) {
  return `<${tag} class="formula-source">${escaped(token.info)}</${tag}>`;
}

function readInlineFormula(state, silent) {
  const found = formulaAt(state);
  if (!found) return false;
  if (!silent) {
    const token = state.push("formula", "math", 0);
    token.markup = found.mark;
    token.content = state.src.slice(state.pos + found.mark.length, found.close);
    token.info = state.src.slice(state.pos, found.end);
  }
  state.pos = found.end;
  return true;
}

function formulaAt(state) {
  const { src, pos } = state;
  const mark = ["$$", "$", "\\(", "\\["].find((opening) => src.startsWith(opening, pos));
  if (!mark || state.noFormulaEnds?.[mark]) return null;
  const start = pos + mark.length;
  const close = closingOf(src, start, CLOSING[mark]);
  if (close < 0) state.noFormulaEnds = { ...state.noFormulaEnds, [mark]: true }; // nor later on
  if (close < 0 || close >= state.posMax) return null;
  const end = close + mark.length;
  if (!src.slice(start, close).trim()) return null;
  if (mark[0] === "$" && !isNoMoney(src, pos, start, close, end)) return null;
  return { mark, close, end };
}

// "$5 and $6", "US$5-$6" and "$HOME/$PATH" are no formulas.
function isNoMoney(src, pos, start, close, end) {
  if (src[start] === "$" || src[end] === "$" || /\w/.test(src[end] || "")) return false;
  if (start - pos === 2) return true;
  return !/[\w$]/.test(src[pos - 1] || "") && !/\s/.test(src[start]) && !/\s/.test(src[close - 1]);
}

function closingOf(text, from, closing) {
  let at = text.indexOf(closing, from);
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf(closing, at + 1);
  return at;
}

function isEscaped(text, at) {
  let first = at;
  while (first > 0 && text[first - 1] === "\\") first -= 1;
  return (at - first) % 2 === 1;
}

// Lines from $$ or \[ to what closes it. One that is still being written stands there as text,
// whole, so that none of its lines is taken for a list or a heading meanwhile.
function readBlockFormula(state, startLine, endLine, silent) {
  const first = lineOf(state, startLine);
  const mark = ["$$", "\\["].find((opening) => first.startsWith(opening));
  if (!mark || state.sCount[startLine] - state.blkIndent >= 4) return false;
  let line = startLine;
  let close = closingOf(first, mark.length, CLOSING[mark]);
  while (close < 0 && line + 1 < endLine) {
    line += 1;
    if (state.isEmpty(line) || state.sCount[line] < state.blkIndent) return false;
    close = closingOf(lineOf(state, line), 0, CLOSING[mark]);
  }
  if (close < 0 ? !state.env.isGrowing : lineOf(state, line).slice(close + 2).trim()) return false;
  if (silent) return true;
  pushBlockFormula(state, startLine, line + 1, mark, close >= 0);
  return true;
}

function pushBlockFormula(state, startLine, endLine, mark, isWhole) {
  const source = state.getLines(startLine, endLine, state.sCount[startLine], false).trim();
  const token = state.push(isWhole ? "formula_block" : "formula_open", "math", 0);
  token.markup = mark;
  token.content = source.slice(2, -2);
  token.info = source;
  token.map = [startLine, endLine];
  state.line = endLine;
}

function lineOf(state, line) {
  return state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
}
