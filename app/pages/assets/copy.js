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

// Where the clipboard is out of reach, as on plain http, the text is there to be copied by hand.
function offer(control, text) {
  const field = document.createElement("textarea");
  field.className = "copy-by-hand";
  field.readOnly = true;
  field.value = text;
  field.setAttribute("aria-label", "Selected, press Ctrl+C");
  const said = document.createElement("p");
  said.className = "copy-by-hand small quiet";
  said.textContent = "Selected, press Ctrl+C";
  document.querySelectorAll(".copy-by-hand").forEach((one) => one.remove());
  control.after(field, said);
  field.addEventListener("blur", () => { field.remove(); said.remove(); });
  field.select();
  announce(said.textContent);
}

// A promise inside, because some browsers only allow copying at the very moment of the click.
function write(text) {
  const blob = text.then((said) => new Blob([said], { type: "text/plain" }));
  return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
}

export async function copy(event) {
  const control = event.target.closest("[data-copy], [data-copy-of], [data-copy-from]");
  if (!control || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const text = textOf(control);
  try {
    await write(text);
    announce("Copied");
    const label = control.dataset.label ??= control.textContent;
    control.textContent = "Copied";
    setTimeout(() => { control.textContent = label; }, SHOWN_MS);
  } catch {
    text.then((said) => offer(control, said), () => announce("Could not be read; try again"));
  }
}
