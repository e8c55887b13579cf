// An answer by its tokens: each a chip, shaded by how likely the model found it where its engine
// tells. `lengths` has for each part of the text its length, of how many tokens it is, and how
// likely that was (0 to 1, or null).

function drawTokens(root, text, lengths) {
  root.replaceChildren();
  let at = 0;
  for (const [length, tokens, probability] of lengths) {
    const part = text.slice(at, at + length);
    at += length;
    if (tokens) drawToken(root, part, tokens, probability);
    else root.append(part);
  }
  root.append(text.slice(at));
}

function drawToken(root, part, tokens, probability) {
  const chip = make("span", root, "token");
  chip.textContent = part;
  if (!part.trim() && part.includes("\n")) chip.classList.add("line-end");
  const told = [];
  if (tokens > 1) told.push(said("board.token_of", { tokens }));
  if (probability !== null) {
    chip.style.setProperty("--unlikely", String(1 - probability));
    chip.classList.add("shaded");
    told.push(said("board.token_likely", { share: percentInWords(probability) }));
  }
  if (told.length) chip.title = told.join(said("board.comma"));
}

function tokensInWords(views) {
  const told = views.flatMap((view) => view.tokens || []);
  if (!told.length) return "";
  const isShaded = told.some(([, , probability]) => probability !== null);
  return said(isShaded ? "board.tokens_shaded" : "board.tokens_plain");
}
