// `?` tells which keys a page knows.
const dialog = document.getElementById("keys");
const button = document.getElementById("keys-button");

button.hidden = false;
button.addEventListener("click", () => dialog.showModal());
document.addEventListener("keydown", (event) => {
  const isWritten = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || isWritten) return;
  event.preventDefault();
  if (dialog.open) dialog.close();
  else dialog.showModal();
});
// A click beside it closes it.
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
