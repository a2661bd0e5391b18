// The page of log records comes alive.
import { complete } from "./log-completion.js";
import { watchHistogram } from "./log-histogram.js";
import { watchKeys } from "./log-keys.js";
import { liveTail } from "./log-live.js";
import "./menus.js";

const box = document.getElementById("q");
complete(box, document.getElementById("q-options"));
watchHistogram(document.querySelector(".log-over-time"));
const tail = liveTail();
watchKeys(box, tail);

// The caret stands where the search cannot be read.
const trouble = document.getElementById("q-trouble");
if (trouble) {
  // Columns count characters, a box counts UTF-16 units.
  const place = [...box.value].slice(0, Number(trouble.dataset.column) - 1).join("").length;
  box.focus();
  box.setSelectionRange(place, place);
}

// Facets stand open where there is room beside the records.
const wide = matchMedia("(min-width: 60rem)");
function openFacets() {
  for (const all of document.querySelectorAll(".log-facet-all")) all.open = wide.matches;
}
document.addEventListener("htmx:after:swap", openFacets);
wide.addEventListener("change", openFacets);

// The tail stays as it is, on or off, whatever is searched next.
function keepLive(values) {
  if (tail.isOn()) values.set("live", "yes");
  else values.delete("live");
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link?.origin !== location.origin || link.pathname !== "/logs") return;
  const address = new URL(link.href);
  if (address.searchParams.has("after")) return;
  keepLive(address.searchParams);
  link.href = address;
});
document.addEventListener("formdata", (event) => {
  if (new URL(event.target.action).pathname === "/logs") keepLive(event.formData);
});

// What is empty need not stand in the address.
document.getElementById("log-search").addEventListener("formdata", (event) => {
  for (const name of ["q", "from", "to"]) if (!event.formData.get(name)) event.formData.delete(name);
});
