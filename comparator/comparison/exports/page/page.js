if (/^zh\b/i.test(navigator.language)) {
  document.documentElement.lang = "zh-CN";
  document.querySelectorAll("[data-text]").forEach((node) => {
    node.textContent = TEXTS[node.dataset.text] ?? node.textContent;
  });
  document.querySelectorAll("[data-label]").forEach((node) => {
    node.setAttribute("aria-label", TEXTS[node.dataset.label] ?? node.getAttribute("aria-label"));
  });
}
