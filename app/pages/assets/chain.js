// A chain by keyboard: j, k, e; Enter opens what has the focus.
import { onKeys } from "./keys.js";

const rows = () => [...document.querySelectorAll("[data-rows] summary.line, [data-rows] a.line")];

function go(step, wanted = () => true) {
  const all = rows();
  const here = all.indexOf(document.activeElement?.closest(".line"));
  const start = here < 0 ? (step > 0 ? -1 : all.length) : here;
  for (let place = start + step; place >= 0 && place < all.length; place += step) {
    if (!wanted(all[place])) continue;
    all[place].focus();
    all[place].scrollIntoView({ block: "nearest" });
    return;
  }
}

onKeys({
  j: () => go(1),
  k: () => go(-1),
  e: () => go(1, (row) => row.closest(".is-error")),
});

// The record that an address names is open when one comes there.
function open() {
  const row = location.hash.startsWith("#r-") && document.getElementById(location.hash.slice(1));
  if (!row) return;
  row.querySelector("details").open = true;
  row.querySelector("summary").focus();
}
addEventListener("hashchange", open);
open();

for (const told of document.querySelectorAll(".fall-keys")) told.hidden = false;
