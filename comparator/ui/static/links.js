// A link that opens the page with this form (hosting/links.py reads it); nothing runs by itself.

const LINK_LONGEST = 30000; // characters that servers and browsers take of an address
const LINK_OWN_NAMES = ["models", "prompt", "system", "system_prompt", "together"];

function linkIsOurs(name) {
  const setting = name.replace(/^\d\./, "");
  return LINK_OWN_NAMES.includes(name) || SLOT_FIELDS.some((field) => field.name === setting);
}

// The form is remembered now; the link in the address would only undo what was changed since.
function linkForget() {
  const left = new URLSearchParams(window.location.search);
  const ours = [...left.keys()].filter(linkIsOurs);
  if (!ours.length) return;
  for (const name of ours) left.delete(name);
  const query = left.size ? `?${left}` : "";
  window.history.replaceState(null, "", window.location.pathname + query + window.location.hash);
}

function linkText(name, value) {
  if (value === null) return name === "n_ctx" ? "fit" : name === "max_tokens" ? "none" : "null";
  return typeof value === "string" ? value : JSON.stringify(value);
}

// By name where that is one model's alone, so that the link works on another machine too.
function linkModel(id) {
  const catalogue = window.comparatorCatalogue || {};
  const [name] = catalogue[id] || [id];
  const isShared = Object.values(catalogue).filter((entry) => entry[0] === name).length > 1;
  return isShared || name.includes("/") ? id : name;
}

function linkSetting(name, value) {
  if (name === "greedy") return ["do_sample", String(!value)];
  if (name === "stop") {
    const lines = value.split("\n").filter((line) => line.trim());
    const texts = lines.map((line) => line.replaceAll("\\n", "\n").replaceAll("\\t", "\t"));
    return ["stop", JSON.stringify(texts)];
  }
  const empty = { max_tokens: "none", n_ctx: "fit" }[name] ?? "null";
  return [name, value === "" || value === null ? empty : String(value)];
}

function linkQuery(withPrompt) {
  const query = new URLSearchParams();
  const models = slotsModels();
  const filled = slotsPlaces().filter((place) => models[place]);
  for (const place of filled) query.append("models", linkModel(models[place]));
  const { prompt, system_prompt, together, ...form } = keptForm || {};
  if (withPrompt && prompt) query.set("prompt", prompt);
  if (system_prompt) query.set("system", system_prompt);
  for (const [name, value] of Object.entries(form)) {
    if (name === "trust_remote_code" || String(value) === String(USUAL_FORM[name])) continue;
    query.set(...linkSetting(name, value));
  }
  if (together) query.set("together", "1");
  const own = slotsOwn();
  filled.forEach((place, number) => {
    for (const [name, value] of Object.entries(own[place])) {
      if (name !== "trust_remote_code") query.set(`${number + 1}.${name}`, linkText(name, value));
    }
  });
  return query.toString();
}

async function linkCopy() {
  const address = `${window.location.origin}${window.location.pathname}`;
  let link = `${address}?${linkQuery(true)}`;
  const notes = [];
  if (link.length > LINK_LONGEST) {
    link = `${address}?${linkQuery(false)}`;
    notes.push({ key: "slots.link_without_prompt", values: { most: LINK_LONGEST } });
  }
  try {
    await navigator.clipboard.writeText(link);
    slotsSay([{ key: "slots.link_copied" }, ...notes]);
  } catch { // a page without https, or a browser that asks first
    slotsSay([{ key: "slots.link_by_hand" }, ...notes]);
    const field = slotsNode("input", slotsNotes.firstElementChild, "link-text");
    field.readOnly = true;
    field.value = link;
    field.setAttribute("aria-label", said("slots.copy_link"));
    field.select();
  }
}
