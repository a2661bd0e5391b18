// A chain by keyboard (j, k, e; Enter opens what has the focus), and copied as Markdown.
import { announce } from "./announce.js";

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

const keys = {
  j: () => go(1),
  k: () => go(-1),
  e: () => go(1, (row) => row.closest(".is-error")),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
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

for (const button of document.querySelectorAll("[data-copy-from]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      const answer = await fetch(button.dataset.copyFrom);
      if (!answer.ok) throw new Error(answer.statusText);
      await navigator.clipboard.writeText(await answer.text());
      announce("Copied");
      const label = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    } catch {
      announce("The chain could not be copied");
    }
  });
}
for (const told of document.querySelectorAll(".keys")) told.hidden = false;
