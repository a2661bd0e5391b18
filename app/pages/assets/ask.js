// Ctrl or Cmd with Enter asks, as the button does.
const form = document.querySelector("form.ask");
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});
