// The search box as a combobox (WAI-ARIA APG, list autocomplete with manual selection).
const WAIT_MS = 90;

export function complete(box, list) {
  let start = 0;
  let end = 0;
  let found = [];
  let active = -1;
  let asking = null;
  let timer = 0;

  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  close();

  function close() {
    list.hidden = true;
    active = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  }

  function show() {
    list.replaceChildren(...found.map((one, index) => {
      const option = document.createElement("li");
      option.id = `q-option-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.append(one.label);
      if (one.detail) {
        const detail = document.createElement("span");
        detail.textContent = one.detail;
        option.append(detail);
      }
      return option;
    }));
    list.hidden = !found.length;
    active = -1;
    box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-expanded", String(!list.hidden));
  }

  function choose(index) {
    active = (index + found.length) % found.length;
    [...list.children].forEach((one, at) => one.setAttribute("aria-selected", String(at === active)));
    box.setAttribute("aria-activedescendant", `q-option-${active}`);
    list.children[active].scrollIntoView({ block: "nearest" });
  }

  async function ask() {
    asking?.abort();
    const mine = asking = new AbortController();
    // The service counts characters, a box counts UTF-16 units.
    const units = (count) => [...box.value].slice(0, count).join("").length;
    const caret = [...box.value.slice(0, box.selectionStart)].length;
    const query = new URLSearchParams({ q: box.value, caret });
    try {
      const answer = await fetch(`/logs/completion?${query}`, { signal: mine.signal });
      const said = answer.ok ? await answer.json() : { suggestions: [] };
      // What was asked before something else was written is of no use now.
      if (mine.signal.aborted) return;
      [start, end] = [units(said.start), units(said.end)];
      found = document.activeElement === box ? said.suggestions : [];
      show();
    } catch {
      if (!mine.signal.aborted) close();
    }
  }

  function soon() {
    asking?.abort();
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  }

  function accept(index) {
    const one = found[index];
    const text = one.insert + (one.is_open || box.value[end] === " " ? "" : " ");
    box.setRangeText(text, start, end, "end");
    close();
    box.focus();
    if (one.is_open) ask();
  }

  function leave() {
    clearTimeout(timer);
    asking?.abort();
    close();
  }

  box.addEventListener("input", soon);
  box.addEventListener("blur", leave);
  box.form.addEventListener("submit", leave);
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) ask();
      else choose(active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1));
    } else if (!list.hidden && active >= 0 && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      accept(active);
    } else if (event.key === "Tab" && !list.hidden && found.length && !event.shiftKey) {
      event.preventDefault();
      accept(0);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      leave();
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) accept([...list.children].indexOf(option));
  });
}
