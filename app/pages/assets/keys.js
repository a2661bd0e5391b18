// From the one that has the focus to the next or to the one before it; to the first from elsewhere.
export function step(all, here, by) {
  if (!all.length) return;
  const at = all.indexOf(here);
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

// Single keys that act wherever nothing is being written.
export function onKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    // Below the help nothing moves; the key that opened it closes it.
    if (event.key !== "?" && document.querySelector("dialog[open]")) return;
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
