// What stands round the library's table: the lists to filter by, and what is not offered.

// One list a column of few different words; what was chosen stays.
function drawFilters(keys) {
  for (const key of keys) {
    const words = [...new Set([...lines.keys()].map((id) => cell(id, key)))].filter(Boolean).sort();
    let list = filters.querySelector(`select[data-key="${key}"]`);
    if (!list) {
      list = make("select", filters);
      list.dataset.key = key;
      list.addEventListener("change", () => arrange(true));
    }
    const title = said(`library.column_${key}`);
    list.setAttribute("aria-label", title);
    const mark = JSON.stringify(words);
    list.hidden = words.length < 2 && !list.value;
    if (list.dataset.mark === mark) continue;
    list.dataset.mark = mark;
    const kept = list.value;
    list.replaceChildren(new Option(said("library.all", { title }), ""), ...words.map((word) => new Option(wordOf(key, word), word)));
    list.value = words.includes(kept) ? kept : "";
  }
}

function drawApart(view) {
  const lists = [
    ["unusable", ["library.unusable_one", "library.unusable_many"], view.unusable],
    ["passed-over", ["library.passed_over_one", "library.passed_over_many"], view.passed_over],
  ];
  for (const [name, [one, many], files] of lists) {
    const mark = JSON.stringify(files);
    let fold = apart.querySelector(`.${name}`);
    if (!fold) fold = make("details", apart, name);
    fold.hidden = !files.length;
    if (fold.dataset.mark === mark) continue;
    fold.dataset.mark = mark;
    fold.replaceChildren();
    make("summary", fold).textContent = said(files.length === 1 ? one : many, { count: files.length });
    const list = make("ul", fold);
    for (const [file, place, reason] of files) {
      const item = make("li", list);
      make("b", item).textContent = file;
      item.append(` ${reason} `);
      make("span", item, "place").textContent = place;
    }
  }
}
