// Documents may be dropped anywhere on the page; the form does the rest, as without this.
import { announce } from "./announce.js";

const form = document.querySelector("form.import");
const input = document.getElementById("files");
const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
let depth = 0;

function mark(entered) {
  depth = entered ? depth + 1 : Math.max(0, depth - 1);
  document.body.classList.toggle("dropping", depth > 0);
}

document.querySelector(".drop-hint").hidden = false;
document.addEventListener("dragenter", (event) => { if (hasFiles(event)) mark(true); });
document.addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(false); });
document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  mark(false);
  input.files = event.dataTransfer.files;
  announce(`${input.files.length} dropped`);
  form.requestSubmit();
});
