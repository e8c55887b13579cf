// Hands on how many tokens each file before the question has (hosting/file_tokens.py).

watch("value", () => {
  window.dispatchEvent(new CustomEvent("comparator-file-tokens", { detail: props.value || [] }));
});
