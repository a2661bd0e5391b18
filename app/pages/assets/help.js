// `?` tells which keys a page knows.
import { onKeys } from "./keys.js";

const dialog = document.getElementById("keys");
const button = document.getElementById("keys-button");

button.hidden = false;
button.addEventListener("click", () => dialog.showModal());
onKeys({ "?": () => (dialog.open ? dialog.close() : dialog.showModal()) });
// A click beside it closes it.
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
