// What every page does once scripts run: moments in the reader's zone, and things to copy.
import { localise } from "./time.js";
import { announce } from "./announce.js";

function wire(root) {
  localise(root);
  for (const button of root.querySelectorAll("[data-copy], [data-copy-of]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-of]");
  if (!button) return;
  const source = button.dataset.copyOf;
  const text = source ? document.getElementById(source).textContent : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied");
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  } catch {
    announce("The browser does not allow copying here");
  }
});

wire(document);
// Morphing writes texts and attributes as the server drew them.
document.addEventListener("htmx:after:swap", () => wire(document));
// What htmx or a live stream puts in later is wired as it comes.
new MutationObserver((changes) => {
  for (const change of changes)
    for (const node of change.addedNodes)
      if (node.nodeType === Node.ELEMENT_NODE) wire(node.parentElement ?? node);
}).observe(document.body, { childList: true, subtree: true });
