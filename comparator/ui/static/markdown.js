// Markdown of answers. A model's text is hostile until proven otherwise: markdown-it knows no raw
// HTML here and loads no images, and DOMPurify lets only the elements and attributes below through.
// A growing answer costs what its last block costs: blocks that are over are never made again.

const REST_TIMES = 15; // drawing may take a sixteenth of the time of each column
const LONGEST_COLOURED = 50_000; // characters of code
const TEXT_TAGS =
  "p br hr h1 h2 h3 h4 h5 h6 strong em s code pre span blockquote ul ol li a div " +
  "table thead tbody tr th td";
const MATH_TAGS =
  "math semantics annotation mrow mi mo mn ms mtext mspace msup msub msubsup mfrac msqrt mroot " +
  "mover munder munderover mmultiscripts mprescripts mpadded mphantom menclose mstyle mtable mtr mtd";
const MATH_ATTRIBUTES =
  "xmlns encoding display displaystyle scriptlevel mathvariant mathsize mathcolor mathbackground " +
  "stretchy fence separator symmetric largeop movablelimits accent accentunder form lspace rspace " +
  "minsize maxsize linethickness notation width height depth voffset " +
  "columnalign columnspacing columnlines rowalign rowspacing rowlines frame";
const ATTRIBUTES = `aria-level target rel title class start data-host ${MATH_ATTRIBUTES}`.split(" ");
const ALLOWED = {
  ALLOWED_TAGS: `${TEXT_TAGS} ${MATH_TAGS}`.split(" "),
  ALLOWED_ATTR: ["href", ...ATTRIBUTES],
  ALLOWED_URI_REGEXP: /^https?:\/\//i, // for every attribute but those named next
  ADD_URI_SAFE_ATTR: ATTRIBUTES,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

let markdown = null; // once the libraries are there
const markdownViews = new Set();

// Fetch the libraries from our own server; answers stand as plain text until they have come.
function loadMarkdown(address, onTrouble) {
  const script = document.createElement("script");
  script.src = address;
  script.addEventListener("load", () => {
    try {
      beginMarkdown();
    } catch (error) {
      console.error("Markdown cannot be drawn", error);
      onTrouble();
    }
  });
  script.addEventListener("error", onTrouble);
  document.head.append(script);
}

function beginMarkdown() {
  markdown = makeMarkdown();
  for (const view of markdownViews) view.begin();
  markdownViews.clear();
}

function makeMarkdown() {
  const made = window.markdownit({ html: false, linkify: true, breaks: true, maxNesting: 20 });
  made.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
  made.normalizeLinkText = (text) => text;
  made.validateLink = (address) => /^https?:\/\//i.test(address);
  formulas(made);
  const { rules } = made.renderer;
  rules.text = (tokens, at) => escaped(withMarksShown(tokens[at].content));
  rules.link_open = openLink;
  rules.image = imageAsLink;
  // Below the model's name, whichever levels an answer leaves out: it looks as it is written.
  rules.heading_open = (tokens, at) => `<${tokens[at].tag} aria-level="3">`;
  rules.fence = (tokens, at) => codeBlock(tokens[at].content, tokens[at].info);
  rules.code_block = (tokens, at) => codeBlock(tokens[at].content, "");
  rules.table_open = () => '<div class="table-frame"><table>';
  rules.table_close = () => "</table></div>";
  rules.th_open = rules.td_open = openCell;
  return made;
}

function escaped(text) {
  return markdown.utils.escapeHtml(text);
}

// Marks that turn the reading direction; the server has shown those that are not entities.
function withMarksShown(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16)}`);
}

// Links are followed by a click alone, and say where they lead.
function openLink(tokens, at) {
  const isBare = ["autolink", "linkify"].includes(tokens[at].markup);
  return linkTo(tokens[at].attrGet("href"), isBare);
}

// A bare address names its host itself, unless it pretends to be another.
function hostToShow(address, isBare) {
  try {
    const { host, username } = new URL(address);
    return isBare && !username && !host.includes("xn--") ? "" : host;
  } catch {
    return "";
  }
}

function linkTo(address, isBare) {
  const host = hostToShow(address, isBare);
  const shown = host ? ` data-host="${escaped(host)}"` : "";
  const rel = "noopener noreferrer nofollow";
  return `<a href="${escaped(address)}" target="_blank" rel="${rel}" title="${escaped(address)}"${shown}>`;
}

function imageAsLink(tokens, at) {
  const address = tokens[at].attrGet("src");
  const label = escaped(`image: ${tokens[at].content || address}`);
  const before = tokens.slice(0, at);
  const count = (type) => before.filter((token) => token.type === type).length;
  if (count("link_open") > count("link_close")) return label;
  return `${linkTo(address, false)}${label}</a>`;
}

function openCell(tokens, at) {
  const side = /right|center/.exec(tokens[at].attrGet("style") || "");
  return side ? `<${tokens[at].tag} class="${side[0]}">` : `<${tokens[at].tag}>`;
}

function codeBlock(code, info) {
  const language = info.trim().split(/\s/)[0].toLowerCase();
  return `<pre><code>${coloured(code, language)}</code></pre>\n`;
}

function coloured(code, language) {
  const known = language && window.hljs.getLanguage(language);
  if (!known || code.length > LONGEST_COLOURED) return escaped(code);
  return window.hljs.highlight(code, { language, ignoreIllegals: true }).value;
}

// Shows one text that grows by appending. `around` is given each drawing to do.
class MarkdownView {
  constructor(root, around) {
    this.root = root;
    this.around = around;
    this.clear();
  }

  clear() {
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.text = "";
    this.isOver = false;
    this.begin();
  }

  // Draw all of the text anew.
  begin() {
    this.root.replaceChildren();
    this.root.classList.toggle("unread", !markdown);
    if (!markdown) markdownViews.add(this);
    this.rest = this.text; // from the start of the block that may still grow
    this.open = []; // the nodes of that block
    this.settings = { isGrowing: !this.isOver, references: {} };
    this.nextAt = 0;
    this.draw();
  }

  append(text) {
    this.isOver = false;
    this.text += text;
    this.rest += text;
    const wait = this.nextAt - performance.now();
    if (wait <= 0) this.draw();
    else if (!this.timer) this.timer = window.setTimeout(() => this.draw(), wait);
  }

  // Nothing more comes: show all of it now.
  finish() {
    if (this.isOver) return;
    this.isOver = true;
    const isReferredTo = Object.keys(this.settings.references).length > 0;
    this.settings.isGrowing = false;
    if (isReferredTo) this.begin(); // an address may be told after its link
    else this.draw();
  }

  draw() {
    window.clearTimeout(this.timer);
    this.timer = 0;
    const began = performance.now();
    this.around(() => this.drawSafely());
    const ended = performance.now();
    this.nextAt = ended + REST_TIMES * (ended - began);
  }

  // Whatever goes wrong with Markdown, the text stands there.
  drawSafely() {
    try {
      if (markdown) return this.drawRest();
    } catch (error) {
      console.error("Markdown could not be drawn", error);
    }
    this.root.classList.add("unread");
    this.root.replaceChildren(this.text);
  }

  drawRest() {
    const tokens = markdown.parse(this.rest, this.settings);
    const from = this.keptFrom(tokens);
    for (const node of this.open) node.remove();
    this.root.append(this.fragment(tokens.slice(0, from)));
    const last = this.fragment(tokens.slice(from));
    this.open = Array.from(last.childNodes);
    this.root.append(last);
    if (this.isOver) addCodeCopies(this.root);
    if (from > 0) this.rest = linesFrom(this.rest, tokens[from].map[0]);
  }

  // Return where the last block begins if what is before it is over, else 0. A line that is not
  // complete may become anything, such as the next item of a list.
  keptFrom(tokens) {
    const from = tokens.findLastIndex((token) => token.level === 0 && token.nesting >= 0);
    if (from <= 0) return 0;
    return linesFrom(this.rest, tokens[from].map[0]).includes("\n") ? from : 0;
  }

  fragment(tokens) {
    const html = markdown.renderer.render(tokens, markdown.options, this.settings);
    return window.DOMPurify.sanitize(html, ALLOWED);
  }
}

function linesFrom(text, number) {
  let at = 0;
  for (let line = 0; line < number; line += 1) at = text.indexOf("\n", at) + 1;
  return text.slice(at);
}
