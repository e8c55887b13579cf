// The page's own texts in the reader's language; the server never knows which it is.

const LANGUAGE = Object.keys(TEXTS).find((name) => name === navigator.language)
  || Object.keys(TEXTS).find((name) => name.split("-")[0] === navigator.language.split("-")[0])
  || "en";

// The text of a key, with what stands in braces in it put in: said("board.turn", { number: 2 }).
function said(key, values = {}) {
  const text = TEXTS[LANGUAGE][key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
