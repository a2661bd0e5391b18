// The keyboard on the page of log records: what is chosen is what has the focus.
const rows = () => [...document.querySelectorAll("#log-rows > .log > details > summary")];

function chosen() {
  const row = document.activeElement?.closest?.(".log");
  return row ? row.querySelector("summary") : null;
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(chosen());
  const next = here < 0 ? 0 : Math.min(Math.max(here + step, 0), all.length - 1);
  all[next].focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
}

export function isWriting(target) {
  return target.closest?.("input, textarea, select, [contenteditable], dialog") !== null;
}

export function watchKeys(box, tail) {
  const actions = {
    "/": () => { box.focus(); box.select(); },
    j: () => move(1),
    k: () => move(-1),
    o: () => {
      const row = document.activeElement?.closest?.(".log");
      if (row) location.assign(row.dataset.chain);
    },
    l: () => tail.toggle(),
    p: () => tail.pause(),
    w: () => document.getElementById("log-wrap")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return leave(event);
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

// Escape goes back one step: out of a menu, out of the box, out of an opened record.
function leave(event) {
  const menu = document.querySelector(".log-menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
    return;
  }
  if (event.target.id === "q") return event.target.blur();
  const row = chosen();
  if (row?.parentElement.open) {
    row.parentElement.open = false;
    row.focus();
  }
}
