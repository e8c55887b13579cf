// Carries the texts that the board asked for to it.
watch("value", () => {
  window.dispatchEvent(new CustomEvent("comparator-refill", { detail: props.value }));
});
