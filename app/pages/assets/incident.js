// Gives every block of code in a document a button to copy it, and says what a change led to.
import { announce } from "./announce.js";
import "./menus.js";

function addCopyButtons(root) {
  for (const block of root.querySelectorAll(".prose pre:not([data-wired])")) {
    block.dataset.wired = "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small copy-code";
    button.textContent = "Copy";
    button.dataset.copy = block.textContent;
    const holder = document.createElement("div");
    holder.className = "code";
    block.replaceWith(holder);
    holder.append(block, button);
  }
}

addCopyButtons(document);
new MutationObserver(() => addCopyButtons(document)).observe(document.body, { childList: true, subtree: true });

// A draft begins where something is left to say.
const draft = document.querySelector(".draft textarea");
const gap = draft?.value.indexOf("[what to do]") ?? -1;
if (gap >= 0) {
  draft.focus({ preventScroll: true });
  draft.setSelectionRange(gap, gap + "[what to do]".length);
  const before = draft.value.slice(0, gap).split("\n").length / draft.value.split("\n").length;
  draft.scrollTop = before * draft.scrollHeight - draft.clientHeight / 3;
}

// What a change led to is said, and seen: the place where it was asked for is gone.
document.addEventListener("htmx:after:swap", () => {
  const notice = document.querySelector(".inc-notice[role=alert], main > .problem");
  if (notice) {
    notice.tabIndex = -1;
    notice.focus();
    return;
  }
  const state = document.querySelector(".inc-state");
  if (state && document.activeElement === document.body) {
    document.getElementById("content").focus({ preventScroll: true });
    announce(state.innerText);
  }
});
