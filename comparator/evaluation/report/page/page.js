const search = document.querySelector(".search");
if (search) {
  const field = search.querySelector("input"), told = search.querySelector("output");
  const rows = [...document.querySelectorAll(".row")], texts = new Map();
  document.querySelectorAll("details.prompt").forEach((node) => {
    texts.set(node.dataset.prompt, node.textContent.toLowerCase());
  });
  search.hidden = false;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().trim();
    rows.forEach((row) => {
      const text = texts.get(row.dataset.prompt) ?? row.textContent.toLowerCase();
      row.classList.toggle("unfound", !text.includes(words));
    });
    const left = new Set(rows.filter((row) => !row.classList.contains("unfound"))
      .map((row) => row.dataset.prompt));
    told.textContent = words ? String(left.size) : "";
  });
}
// Where a browser does not open a fold that is led to, the page does.
addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1)), fold = target?.closest("details");
  if (fold && !fold.open) {
    fold.open = true;
    target.scrollIntoView();
  }
});
