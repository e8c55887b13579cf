// Taking a comparison away: view.comparison is its id in the history.

function drawExport(root, view) {
}
