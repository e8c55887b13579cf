// Where two answers differ, word by word; what is a word is the browser's to say, so that Chinese
// and Japanese have some, too.

const LONGEST_SEARCH_MILLISECONDS = 1500;
const WORDS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{M}\p{N}_]+|\s+|[^\s]/gu;
const segmenter = window.Intl?.Segmenter && new Intl.Segmenter(undefined, { granularity: "word" });

// The words of a text, each with the white space behind it; together they are the text.
function wordsOf(text) {
  const parts = segmenter
    ? Array.from(segmenter.segment(text), ({ segment }) => segment)
    : text.match(WORDS) || [];
  const words = [];
  for (const part of parts) {
    if (words.length && !part.trim()) words[words.length - 1] += part;
    else words.push(part);
  }
  return words;
}

function isWord(text) {
  return /[\p{L}\p{N}]/u.test(text);
}

function areAlike(first, second) {
  return first.trim() === second.trim();
}

// What only one of two texts has: for each its words, which of them are its own (`own`), and the
// number of the word at which they part (`parting`, equal in both; -1 where they are the same).
// `own` is null where finding it would take too long.
function differenceOf(first, second) {
  const [before, after] = [wordsOf(first), wordsOf(second)];
  const parting = partingOf(before, after);
  const options = { comparator: areAlike, timeout: LONGEST_SEARCH_MILLISECONDS };
  const changes = window.Diff.diffArrays(before, after, options);
  const sides = [before, after].map((words) => ({ words, own: changes ? new Set() : null }));
  let [oldAt, newAt] = [0, 0];
  for (const { count, removed, added } of changes || []) {
    for (let number = 0; number < count; number += 1) {
      if (removed) sides[0].own.add(oldAt);
      if (added) sides[1].own.add(newAt);
      if (!added) oldAt += 1;
      if (!removed) newAt += 1;
    }
  }
  return { parting, sides };
}

function partingOf(before, after) {
  const shortest = Math.min(before.length, after.length);
  let at = 0;
  while (at < shortest && areAlike(before[at], after[at])) at += 1;
  return at === before.length && at === after.length ? -1 : at;
}

function differenceInWords({ parting, sides }) {
  if (parting < 0) return said("board.compare_same");
  if (!sides[0].own) return said("board.compare_long");
  const [first, second] = sides.map(({ words, own }) => [...own].filter((at) => isWord(words[at])).length);
  const same = sides[0].words.slice(0, parting).filter(isWord).length;
  return said(same ? "board.compare_told" : "board.compare_none_same", { same, first, second });
}

// Draw one side: its own words marked, and the place at which the two part.
function drawDifference(root, { words, own }, parting) {
  root.replaceChildren();
  let text = "";
  let isMarked = false;
  const end = () => {
    const seen = isMarked ? text.trimEnd() : "";
    if (seen) make("mark", root).append(seen);
    root.append(text.slice(seen.length));
    text = "";
  };
  words.forEach((word, at) => {
    const marked = Boolean(own?.has(at));
    if (at === parting || marked !== isMarked) end();
    if (at === parting) makeParting(root);
    isMarked = marked;
    text += word;
  });
  end();
  if (parting === words.length) makeParting(root);
}

function makeParting(root) {
  const sign = make("span", root, "parting");
  sign.setAttribute("role", "img");
  nameSign(sign, said("board.parting"));
}
