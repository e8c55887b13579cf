// What the comparison took of the machine: view.machine. Drawn anew when its version is another
// one, which the server makes at most once a second: drawing takes time from the model that writes.
// SVG without text: its shapes are stretched to the panel's width, and words stand beside it.

const MACHINE_LETTERS = "ABCD";
const MACHINE_SVG = "http://www.w3.org/2000/svg";
const MACHINE_WIDTH = 1000, MACHINE_HEIGHT = 160; // of the drawing's own units
let machineDrawn = "";
let machineOpen = true;
let machineTables = new Set(); // the titles of charts whose table the reader has opened

function machineNode(tag, parent, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function machineShape(tag, parent, attributes) {
  const node = document.createElementNS(MACHINE_SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function machineNumber(value, digits) {
  return new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

function machineBytes(bytes) {
  const size = Math.abs(bytes);
  for (const [unit, factor] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (size >= factor) return `${machineNumber(bytes / factor, unit === "GB" ? 2 : 0)} ${unit}`;
  }
  return said("machine.bytes", { number: machineNumber(bytes, 0) });
}

function machineSeconds(seconds) {
  return said("machine.seconds", { number: machineNumber(seconds, seconds < 100 ? 2 : 0) });
}

function machineFigure(measure, value) {
  if (value === null) return said("machine.nothing");
  if (measure.endsWith("_bytes")) return machineBytes(value);
  if (measure.endsWith("_per_second")) return said("machine.per_second", { number: machineNumber(value, value < 1000 ? 1 : 0) });
  return machineSeconds(value);
}

function drawMachine(root, view) {
  const use = view.machine;
  const mark = use ? `${view.run} ${use.version}` : "";
  if (mark === machineDrawn && use) return;
  machineDrawn = mark;
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  root.replaceChildren();
  if (!use || !(use.charts.length || Object.keys(use.figures).length)) return;
  const panel = machineNode("details", root, "panel machine");
  panel.open = machineOpen;
  const head = machineNode("summary", panel);
  head.dataset.focus = "summary";
  head.addEventListener("click", () => { machineOpen = !panel.open; });
  machineNode("strong", head, "", said("machine.title"));
  machineNode("span", head, "note", said("machine.summary"));
  for (const chart of use.charts) machineChart(panel, use, chart);
  machineFigures(panel, use);
  machineGivenBack(panel, use);
  if (focused) root.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

function machineLetter(parent, slot) {
  const letter = machineNode("b", parent, "letter", MACHINE_LETTERS[slot] || String(slot + 1));
  letter.dataset.slot = String(slot);
  return letter;
}

function machineChart(panel, use, chart) {
  const title = chart.name ? said("machine.device", { name: chart.name }) : said("machine.ram");
  const figure = machineNode("figure", panel, "chart");
  machineNode("figcaption", figure, "", title);
  const most = machineCeiling(chart.most_bytes), seconds = use.seconds || 1;
  const frame = machineNode("div", figure, "frame-of-chart");
  const svg = machineShape("svg", frame, {
    viewBox: `0 0 ${MACHINE_WIDTH} ${MACHINE_HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${title}. ${chart.bands.map((band) => machineDescribed(use, band)).join(" ")}`,
  });
  const x = (moment) => ((MACHINE_WIDTH * moment) / seconds).toFixed(1);
  const y = (bytes) => (MACHINE_HEIGHT * (1 - Math.max(0, bytes) / most)).toFixed(1);
  for (const share of [0.25, 0.5, 0.75]) {
    machineShape("line", svg, { class: "grid", x1: 0, x2: MACHINE_WIDTH, y1: MACHINE_HEIGHT * share, y2: MACHINE_HEIGHT * share });
  }
  for (const band of chart.bands) machineBand(svg, band, x, y);
  if (chart.taken.length) {
    machineShape("polyline", svg, { class: "taken", points: chart.taken.map(([t, bytes]) => `${x(t)},${y(bytes)}`).join(" ") });
  }
  machineNode("span", frame, "scale", machineBytes(most)).setAttribute("aria-hidden", "true");
  for (const band of chart.bands) machineBandLetter(frame, band, seconds, most);
  const foot = machineNode("div", figure, "foot note");
  machineNode("span", foot, "", machineSeconds(0));
  machineNode("span", foot, "", machineSeconds(use.seconds));
  if (chart.taken.length) machineNode("p", figure, "note line-words", said("machine.line"));
  machineTable(figure, use, chart, title);
}

// A number for the top of the scale that is easy to read.
function machineCeiling(bytes) {
  const power = 10 ** Math.floor(Math.log10(Math.max(bytes, 1e6)));
  return power * [1, 2, 5, 10].find((step) => step * power >= bytes);
}

function machineBand(svg, band, x, y) {
  const upper = band.points.map(([t, , top]) => `${x(t)},${y(top)}`);
  const lower = band.points.map(([t, low]) => `${x(t)},${y(low)}`).reverse();
  machineShape("polygon", svg, { class: "band", "data-slot": band.slot, points: [...upper, ...lower].join(" ") });
  machineShape("polyline", svg, { class: "edge", "data-slot": band.slot, points: upper.join(" ") });
}

function machinePeak(band) {
  return band.points.reduce((best, one) => (one[2] - one[1] > best[2] - best[1] ? one : best));
}

function machineBandLetter(frame, band, seconds, most) {
  const [moment, low, top] = machinePeak(band);
  const letter = machineLetter(frame, band.slot);
  letter.setAttribute("aria-hidden", "true");
  letter.style.left = `clamp(11px, ${(100 * moment) / seconds}%, calc(100% - 11px))`;
  letter.style.bottom = `${(100 * Math.max(0, (low + top) / 2)) / most}%`;
}

function machineName(use, slot) {
  return `${MACHINE_LETTERS[slot] || slot + 1} ${use.names[slot]}`;
}

function machineDescribed(use, band) {
  const [at, low, top] = machinePeak(band);
  return said("machine.described", {
    model: machineName(use, band.slot), peak: machineBytes(top - low), at: machineSeconds(at),
  });
}

function machineTable(figure, use, chart, title) {
  const fold = machineNode("details", figure, "as-table");
  fold.open = machineTables.has(title);
  fold.addEventListener("toggle", () => {
    if (fold.open) machineTables.add(title);
    else if (fold.isConnected) machineTables.delete(title);
  });
  const head = machineNode("summary", fold, "note", said("machine.table"));
  head.dataset.focus = `table ${title}`;
  const frame = machineNode("div", fold, "frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", title);
  const table = machineNode("table", frame);
  machineNode("caption", table, "unseen", title);
  const titles = machineNode("tr", machineNode("thead", table));
  for (const name of ["model", "began", "peak", "peak_at", "ended"]) {
    machineNode("th", titles, "", said(`machine.${name}`)).scope = "col";
  }
  const body = machineNode("tbody", table);
  for (const band of chart.bands) {
    const row = machineNode("tr", body), [at, low, top] = machinePeak(band);
    machineNode("th", row, "", machineName(use, band.slot)).scope = "row";
    const last = band.points[band.points.length - 1];
    const cells = [
      machineSeconds(band.points[0][0]), machineBytes(top - low), machineSeconds(at),
      `${machineSeconds(last[0])} · ${machineBytes(last[2] - last[1])}`,
    ];
    for (const cell of cells) machineNode("td", row, "", cell);
  }
}

const MACHINE_MORE_IS_BETTER = ["tokens_per_second", "characters_per_second"];

function machineFigures(panel, use) {
  const grid = machineNode("div", panel, "figures");
  for (const [measure, values] of Object.entries(use.figures)) {
    const block = machineNode("section", grid, "figure-block");
    const title = machineNode("h3", block, "", said(`machine.measure.${measure}`));
    const hint = MACHINE_MORE_IS_BETTER.includes(measure) ? "more" : "less";
    machineNode("small", title, "note", said(`machine.${hint}`));
    const most = Math.max(...values.map((value) => value || 0)) || 1;
    const list = machineNode("ul", block);
    values.forEach((value, slot) => {
      const line = machineNode("li", list);
      machineLetter(line, slot).title = use.names[slot];
      machineNode("span", line, "unseen", use.names[slot]);
      const track = machineNode("span", line, "track");
      const bar = machineNode("span", track, "bar-of-figure");
      bar.dataset.slot = String(slot);
      bar.style.width = `${(100 * (value || 0)) / most}%`;
      machineNode("span", line, "value", machineFigure(measure, value));
    });
  }
}

function machineGivenBack(panel, use) {
  if (use.given_back.every((one) => one.state === "running")) return;
  const block = machineNode("section", panel, "given-back");
  machineNode("h3", block, "", said("machine.given_back"));
  const list = machineNode("ul", block);
  use.given_back.forEach((one, slot) => {
    const line = machineNode("li", list);
    line.dataset.state = one.state;
    machineLetter(line, slot);
    machineNode("span", line, "", `${use.names[slot]}: ${machineReturned(one)}`);
  });
}

function machineReturned(one) {
  const words = said(`machine.${one.state === "less" ? "less_free" : one.state}`, {
    peak: machineBytes(one.peak_bytes), before: machineBytes(one.before), after: machineBytes(one.after),
    seconds: machineSeconds(one.exit_seconds), missing: machineBytes(one.before - one.after),
  });
  const devices = one.devices.map((device) => said("machine.device_back", {
    name: device.name, before: machineBytes(device.before), after: machineBytes(device.after),
  }));
  return [words, ...devices].join(" ");
}
