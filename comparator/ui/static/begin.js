// What the server is told when the page begins: what was used last in this browser, what was
// typed in this tab before it was loaded anew, and what the address asks for.
() => {
  const read = (store, key) => {
    try {
      return JSON.parse(window[store].getItem(`multi-llm-comparator.${key}`));
    } catch {
      return null; // a browser that keeps nothing, or something else's value
    }
  };
  const link = window.location.search.slice(0, 1000001);
  return [{ kept: read("localStorage", "form"), prompt: read("sessionStorage", "prompt"), link }];
}
