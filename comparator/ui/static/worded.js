// Words that the server has put into HTML in English, each with its key: here in the reader's
// language, and the sentences of services. A text's values are names and numbers, which are the same in all languages.

function wordAnew() {
  for (const node of element.querySelectorAll("[data-said]")) {
    const words = said(node.dataset.said, JSON.parse(node.dataset.values || "{}"));
    if (node.textContent !== words) node.textContent = words;
  }
  for (const node of element.querySelectorAll("[data-sentence]")) {
    const words = inWords(node.dataset.sentence);
    if (node.textContent !== words) node.textContent = words;
  }
  for (const node of element.querySelectorAll("[data-said-label]")) {
    node.setAttribute("aria-label", said(node.dataset.saidLabel, JSON.parse(node.dataset.values || "{}")));
  }
}

watch("value", wordAnew);
wordAnew();
