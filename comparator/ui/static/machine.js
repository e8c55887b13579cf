// What the comparison took of the machine: view.machine.

function drawMachine(root, view) {
}
