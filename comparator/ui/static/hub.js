const EVENTS = ["look_closer", "cancel_download"];

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-event]");
  if (button && EVENTS.includes(button.dataset.event)) {
    trigger(button.dataset.event, { id: button.dataset.id });
  }
});
