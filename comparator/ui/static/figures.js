// Keys and numbers of a view in words: states, figures, and what was sent.

const FIGURES = {
  first_token: secondsInWords,
  answer_began: secondsInWords,
  speed: speedInWords,
  tokens: (number) => String(number),
  peak_memory: bytesInWords,
  load: secondsInWords,
  device_memory: bytesInWords,
};
const BYTES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
const STAGES = ["load", "prefill", "decode"];

function secondsInWords(number) {
  return said("board.unit_seconds", { number: number.toFixed(number < 100 ? 2 : 0) });
}

// A time to wait, in whole seconds.
function longTimeInWords(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (!minutes) return said("board.unit_seconds", { number: seconds });
  return said("board.unit_minutes", { minutes, seconds: String(seconds % 60).padStart(2, "0") });
}

function speedInWords(number) {
  return said("board.unit_speed", { number: number.toFixed(number < 1000 ? 1 : 0) });
}

function percentInWords(share) {
  return `${(100 * share).toFixed(0)} %`;
}

function bytesInWords(number) {
  const [unit, factor] = BYTES.find(([, size]) => number >= size) || ["bytes", 1];
  const amount = number / factor;
  return `${amount.toFixed(amount < 10 && factor > 1 ? 1 : 0)} ${unit}`;
}

// A key's text where there is one, else the key itself: an engine may tell what is new.
function saidOr(key, otherwise) {
  const text = said(key);
  return text === key ? otherwise : text;
}

function isThinking(view) {
  return Boolean(view.thinking) && view.state === "writing" && !/\S/.test(view.text);
}

function stateInWords(view) {
  if (isThinking(view)) return said("board.thinking");
  if (view.state === "waiting" && view.position) {
    return said("board.waiting_in_line", { number: view.position });
  }
  if (view.state === "loading" && view.share !== null) {
    const share = percentInWords(view.share);
    if (!view.seconds_left) return said("board.loading_share", { share }); // not known, or over soon
    return said("board.loading_left", { share, time: longTimeInWords(view.seconds_left) });
  }
  if (view.state === "reading the prompt" && view.prompt_tokens) {
    return said("board.reading_tokens", { tokens: view.prompt_tokens });
  }
  return stateWord(view.state);
}

function stateWord(state) {
  return saidOr(`board.state_${state.replaceAll(" ", "_")}`, state);
}

function thinkingInWords(view) {
  if (!view.thinking) return "";
  const { tokens, seconds } = view.thinking;
  const values = { seconds: secondsInWords(seconds), tokens };
  return said(isThinking(view) ? "board.thinking_so_far" : "board.thought_for", values);
}

function numbersInWords(numbers) {
  return numbers.map(([key, number]) => [said(`board.figure_${key}`), FIGURES[key](number)]);
}

// What is folded away when a run is over, as headings and texts.
function detailInWords([key, told]) {
  const words = { ran_on: ranOnInWords, load: loadInWords, processor: processorInWords };
  words.template = (source) => saidOr(`board.template_${source}`, source);
  words.settings = (settings) => settings.map(settingInWords).join("\n");
  return [said(`board.detail_${key}`), (words[key] || String)(told)];
}

function ranOnInWords({ name, device, dtype, threads, context_length: tokens, way }) {
  const parts = [name, device, dtype];
  if (threads) parts.push(said("board.threads", { threads }));
  if (tokens) parts.push(said("board.context", { tokens }));
  if (way) parts.push(said("board.way", { way }));
  return parts.filter(Boolean).join(said("board.comma"));
}

function loadInWords([seconds, share]) {
  return said("board.load_cached", { seconds: secondsInWords(seconds), share: percentInWords(share) });
}

function processorInWords(shares) {
  const told = STAGES.filter((stage) => shares[stage]).map((stage) =>
    said(`board.processor_${stage}`, { share: percentInWords(shares[stage]) }));
  return said("board.processor", { shares: told.join(said("board.comma")) });
}

function settingInWords([name, value, source]) {
  const told = source && source !== "default" ? ` (${saidOr(`board.source_${source}`, source)})` : "";
  return `${name} = ${value}${told}`;
}
