// Sentences of services, which are made, kept and told to programs in English, in the reader's
// language: each English text of sentences.json is a pattern, whose braces take what a sentence
// says. A sentence that no pattern knows stays as it is. It is in the page once, in its heading;
// every script asks it by inWords of language.js.

const SENTENCES = LANGUAGE === "en" ? [] : patternsOf("whole");
const SENTENCE_PARTS = LANGUAGE === "en" ? [] : patternsOf("part");
const LONGEST_WORDED = 4000; // characters; whatever is longer is a log
const wordedBefore = new Map();
const MOST_WORDED = 500;

// What has the most letters of its own comes first: it says more than what it begins like.
function patternsOf(kind) {
  const keys = Object.keys(TEXTS.en).filter((key) => key.startsWith(`sentences.${kind}.`));
  const own = (key) => TEXTS.en[key].replace(/\{\w+\}/g, "").length;
  return keys.sort((a, b) => own(b) - own(a)).map((key) => {
    const pieces = TEXTS.en[key].split(/\{(\w+)\}/);
    const names = pieces.filter((_, place) => place % 2);
    const source = pieces.map((piece, place) =>
      (place % 2 ? "(.+?)" : piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))).join("");
    return { key, names, pattern: new RegExp(`${source}(?= |$)`, "y"), whole: new RegExp(`^${source}$`) };
  });
}

// Every sentence of a text that is known in the reader's language, the others as they are.
window.comparatorInWords = (text) => {
  if (!text || !SENTENCES.length || text.length > LONGEST_WORDED) return text || "";
  if (!wordedBefore.has(text)) {
    if (wordedBefore.size >= MOST_WORDED) wordedBefore.clear();
    wordedBefore.set(text, sentencesInWords(text));
  }
  return wordedBefore.get(text);
};

function sentencesInWords(text) {
  const told = [];
  let place = 0;
  while (place < text.length) {
    const [words, end] = knownAt(text, place) || unknownAt(text, place);
    told.push(words);
    place = end + 1; // behind the space
  }
  return told.join(" ").replaceAll("。 ", "。");
}

function knownAt(text, place) {
  for (const one of SENTENCES) {
    one.pattern.lastIndex = place;
    const found = one.pattern.exec(text);
    const words = found && wordsOf(one, found);
    if (words) return [words, one.pattern.lastIndex];
  }
  return null;
}

// A sentence ends before a space and a capital, where one that is known may begin.
function unknownAt(text, place) {
  const end = text.slice(place).search(/[.!?:] (?=[A-Z\p{Lo}])/u);
  const until = end < 0 ? text.length : place + end + 1;
  return [text.slice(place, until), until];
}

// The words of a pattern with what was found; null where a part must be known and is not.
function wordsOf({ key, names }, found) {
  const values = {};
  for (const [place, name] of names.entries()) {
    const value = found[place + 1];
    const told = name.endsWith("_list") ? listInWords(value) : partInWords(value);
    if (told === null && /_(part|list)$/.test(name)) return null;
    values[name] = /_(part|list|text)$/.test(name) ? told ?? value : value;
  }
  return said(key, values);
}

function listInWords(text) {
  const parts = text.split(/, | and /).map(partInWords);
  return parts.includes(null) ? null : parts.join(LANGUAGE === "zh-CN" ? "、" : ", ");
}

function partInWords(text) {
  for (const one of SENTENCE_PARTS) {
    const found = one.whole.exec(text);
    if (found) return wordsOf(one, found);
  }
  return null;
}
