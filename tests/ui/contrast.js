// Returns what of the page's visible text does not reach the contrast that WCAG AA asks for:
// 4.5 to 1, or 3 to 1 for large letters. Controls that are out of use are exempt.
() => {
  const numbers = (color) => {
    const srgb = /^color\(srgb ([^)]*)\)/.exec(color);
    if (srgb) {
      const parts = srgb[1].split(/[\s/]+/).map(Number);
      return [...parts.slice(0, 3).map((part) => part * 255), parts[3] ?? 1];
    }
    const parts = color.match(/[\d.]+/g).map(Number);
    return [parts[0], parts[1], parts[2], parts[3] ?? 1];
  };
  const over = (top, below) => below.slice(0, 3).map((part, i) => top[i] * top[3] + part * (1 - top[3]));
  const background = (node) => {
    if (!node) return [255, 255, 255];
    const own = numbers(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, background(node.parentElement));
  };
  const opacity = (node) => (node ? Number(getComputedStyle(node).opacity) * opacity(node.parentElement) : 1);
  const light = (color) => {
    const [r, g, b] = color.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faults = [];
  const check = (node, color, text) => {
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    if (!box.width || !box.height || style.visibility === "hidden") return;
    if (node.closest("[aria-disabled='true'], :disabled, .unseen")) return;
    const behind = background(node);
    const ink = numbers(color);
    ink[3] *= opacity(node);
    if (ink[3] === 0) return; // such as Gradio's hidden clock of an event under way: nobody sees it
    const [one, two] = [light(over(ink, behind)), light(behind)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const points = parseFloat(style.fontSize);
    const large = points >= 24 || (points >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(`${ratio.toFixed(2)} ${text.trim().slice(0, 60)}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.data.trim() && !text.parentElement.closest("script, style, noscript")) {
      check(text.parentElement, getComputedStyle(text.parentElement).color, text.data);
    }
  }
  for (const field of document.querySelectorAll("input:not([type='checkbox']), textarea")) {
    const shown = field.value || field.placeholder;
    if (!shown) continue;
    const style = field.value ? getComputedStyle(field) : getComputedStyle(field, "::placeholder");
    check(field, style.color, shown);
  }
  return faults;
}
