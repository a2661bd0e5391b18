// What every page does once scripts run: moments in the reader's zone, and things to copy.
import { copy } from "./copy.js";
import { localise } from "./time.js";

function wire(root) {
  localise(root);
  for (const button of root.querySelectorAll("[data-copy], [data-copy-of]")) button.hidden = false;
}

document.addEventListener("click", copy);

wire(document);
// Morphing writes texts and attributes as the server drew them.
document.addEventListener("htmx:after:swap", () => wire(document));
// What htmx or a live stream puts in later is wired as it comes; a place once, however much came.
new MutationObserver((changes) => {
  const came = changes.filter((one) => [...one.addedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE));
  for (const place of new Set(came.map((one) => one.target))) wire(place);
}).observe(document.body, { childList: true, subtree: true });
