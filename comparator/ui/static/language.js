// The page's own texts in the reader's language; the server never knows which it is.
// Gradio holds all texts and chooses for its widgets as it is done here, by the browser's language.

const TEXTS = window.gradio_config?.i18n_translations ?? { en: {} };
const LANGUAGE = navigator.language in TEXTS ? navigator.language : "en";

// The text of a key, with what stands in braces in it put in: said("library.selected", { count: 2 }).
function said(key, values = {}) {
  const text = TEXTS[LANGUAGE][key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// Sentences of a service in the reader's language, as far as they are known (sentences.js).
function inWords(text) {
  return window.comparatorInWords?.(text) ?? text ?? "";
}
