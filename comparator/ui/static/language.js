// The page's own texts in the reader's language; the server never knows which it is.
// Gradio has chosen it by the browser's and holds all texts, before any script of ours runs.

const TEXTS = window.gradio_config?.i18n_translations ?? { en: {} };
const LANGUAGE = languageOf(document.documentElement.lang);

// The language of ours that is nearest to a browser's.
function languageOf(asked) {
  const names = Object.keys(TEXTS);
  return names.find((name) => name === asked)
    || names.find((name) => name.split("-")[0] === asked.split("-")[0])
    || "en";
}

// The text of a key, with what stands in braces in it put in: said("library.selected", { count: 2 }).
function said(key, values = {}) {
  const text = TEXTS[LANGUAGE]?.[key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
