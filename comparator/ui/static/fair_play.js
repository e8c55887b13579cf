// Whether the comparison was fair: view.fair_play.

function drawFairPlay(root, view) {
}
