// The keyboard in lists of incidents: what is chosen is the link that has the focus.
import { onKeys, step } from "./keys.js";

const links = () => [...document.querySelectorAll("[data-list] a.plain[href^='/incidents/']")];

function move(by) {
  const row = document.activeElement?.closest?.("[data-list] > li");
  step(links(), row?.querySelector("a.plain"), by);
}

onKeys({ j: () => move(1), k: () => move(-1) });
