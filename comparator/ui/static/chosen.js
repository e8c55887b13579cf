// Tells which models are chosen, whenever one of the lists changes.
(...ids) => {
  window.comparatorChosen = ids;
  window.dispatchEvent(new Event("comparator-chosen"));
  return [];
}
