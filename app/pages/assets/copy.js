// Puts a text on the clipboard: of a button, of an element by its id, or of an address.
import { announce } from "./announce.js";

const SHOWN_MS = 1_500;

function textOf(control) {
  const { copy, copyOf, copyFrom } = control.dataset;
  if (copyFrom) return fetched(copyFrom);
  return Promise.resolve(copyOf ? document.getElementById(copyOf).textContent : copy);
}

async function fetched(address) {
  const answer = await fetch(address, { headers: { Accept: "text/markdown" } });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.text();
}

// A promise inside, because some browsers only allow copying at the very moment of the click.
function write(text) {
  const blob = text.then((said) => new Blob([said], { type: "text/plain" }));
  return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
}

export async function copy(event) {
  const control = event.target.closest("[data-copy], [data-copy-of], [data-copy-from]");
  if (!control || event.ctrlKey || event.metaKey || event.shiftKey) return;
  // A link leads to its text where copying is not allowed.
  if (control.href && !navigator.clipboard) return;
  event.preventDefault();
  try {
    await write(textOf(control));
    announce("Copied");
    const label = control.dataset.label ??= control.textContent;
    control.textContent = "Copied";
    setTimeout(() => { control.textContent = label; }, SHOWN_MS);
  } catch {
    if (control.href) location.assign(control.href);
    else announce("The browser does not allow copying here");
  }
}
