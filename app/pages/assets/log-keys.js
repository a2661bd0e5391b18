// The keyboard on the page of log records: what is chosen is what has the focus.
import { onKeys, step } from "./keys.js";

const rows = () => [...document.querySelectorAll("#log-rows > .log > details > summary")];

function chosen() {
  const row = document.activeElement?.closest?.(".log");
  return row ? row.querySelector("summary") : null;
}

export function watchKeys(box, tail) {
  onKeys({
    "/": () => { box.focus(); box.select(); },
    j: () => step(rows(), chosen(), 1),
    k: () => step(rows(), chosen(), -1),
    o: () => {
      const row = document.activeElement?.closest?.(".log");
      if (row) location.assign(row.dataset.chain);
    },
    l: () => tail.toggle(),
    p: () => tail.pause(),
    w: () => document.getElementById("log-wrap")?.click(),
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave(event);
  });
}

// Escape goes back one step: out of the box, out of an opened record; menus.js has closed a menu.
function leave(event) {
  if (event.target.id === "q") return event.target.blur();
  const row = chosen();
  if (row?.parentElement.open) {
    row.parentElement.open = false;
    row.focus();
  }
}
