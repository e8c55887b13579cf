// Hands what the server says of a suite on to the tab's script: PART names what it is.

function tellEvaluate() {
  if (!props.value) return;
  const detail = { part: PART, value: props.value };
  window.dispatchEvent(new CustomEvent("comparator-evaluate", { detail }));
}

watch("value", tellEvaluate);
