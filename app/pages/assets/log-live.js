// The live tail: records come on top as the service draws them, and nothing that is read moves.
import { announce } from "./announce.js";

const MOST = 1_000;
const PAGE = 100;
const RETRY_MS = 2_000;

export function liveTail() {
  const list = document.getElementById("log-rows");
  const button = document.getElementById("log-live");
  const pausing = document.getElementById("log-pause");
  const state = document.getElementById("log-live-state");
  const pill = document.getElementById("log-new");
  if (!list || !button) return { toggle() {}, pause() {}, isOn: () => false };

  let source = null;
  let cursor = "";
  let paused = false;
  let waiting = [];
  let came = 0;
  let skipped = 0;
  let uncounted = false;
  let retry = 0;
  let scheduled = false;
  const asked = [...new FormData(document.getElementById("asked-now"))].filter(([name]) => name !== "from" && name !== "to");
  const seen = new Set([...list.children].map((row) => row.dataset.record));

  // Whoever scrolled down, opened a record, stands on one or marked text is reading.
  function isRead() {
    const top = list.getBoundingClientRect().top;
    const marked = getSelection();
    return paused || top < 0 || list.querySelector("details[open]") !== null
      || list.contains(document.activeElement)
      || (!marked.isCollapsed && list.contains(marked.anchorNode));
  }

  function rowsIn(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return [...holder.content.children];
  }

  function take(row) {
    if (seen.has(row.dataset.record)) return;
    seen.add(row.dataset.record);
    came += 1;
    waiting.push(row);
    if (waiting.length > MOST) {
      waiting.shift();
      skipped += 1;
    }
    if (scheduled) return;
    scheduled = true;
    // Not requestAnimationFrame: in a tab behind another it never comes.
    setTimeout(() => {
      scheduled = false;
      if (!isRead()) flush();
      tell();
    }, 50);
  }

  function flush() {
    const rows = waiting.reverse();
    waiting = [];
    list.prepend(...rows);
    for (const row of rows) {
      globalThis.htmx?.process(row);
      row.classList.add("log-fresh");
      setTimeout(() => row.classList.remove("log-fresh"), 2_000);
    }
    while (list.children.length > MOST) {
      seen.delete(list.lastElementChild.dataset.record);
      list.lastElementChild.remove();
    }
    document.querySelector(".empty")?.remove();
  }

  function tell() {
    pill.hidden = !waiting.length;
    pill.textContent = `${waiting.length.toLocaleString("en")} new`;
    if (!source && !retry) return void (state.textContent = "");
    const parts = [retry ? "connection lost, trying again" : paused ? "paused" : "live"];
    parts.push(`${came.toLocaleString("en")} came`);
    if (skipped || uncounted) parts.push(`${skipped.toLocaleString("en")}${uncounted ? " or more" : ""} skipped`);
    state.textContent = parts.join(" · ");
  }

  // What was stored between the drawing of the page, or a break, and now.
  async function catchUp(since) {
    const wanted = new URLSearchParams([...asked, ["from", since]]);
    try {
      const answer = await fetch(`/logs?${wanted}`, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
      if (!answer.ok) return;
      const rows = rowsIn(await answer.text());
      if (rows.length >= PAGE) uncounted = true;
      rows.reverse().forEach(take);
    } catch { /* The stream itself tells that the connection is gone. */ }
  }

  function open(since) {
    const wanted = new URLSearchParams(asked);
    if (cursor) wanted.set("after", cursor);
    source = new EventSource(`/logs/live?${wanted}`);
    source.onopen = () => {
      retry = 0;
      tell();
      if (!cursor && since) catchUp(since);
      since = "";
    };
    source.onmessage = (event) => {
      cursor = event.lastEventId || cursor;
      rowsIn(event.data).forEach(take);
    };
    source.addEventListener("skipped", (event) => {
      cursor = event.lastEventId || cursor;
      const { records } = JSON.parse(event.data);
      if (records === null) uncounted = true;
      else skipped += records;
      tell();
    });
    source.onerror = () => {
      // The browser comes back by itself, except after an answer that is no stream.
      if (source?.readyState !== EventSource.CLOSED) return;
      const from = cursor ? "" : new Date(Date.now() - 10_000).toISOString();
      source = null;
      retry = setTimeout(() => open(from), RETRY_MS);
      tell();
    };
  }

  function stop() {
    clearTimeout(retry);
    retry = 0;
    source?.close();
    source = null;
    cursor = "";
  }

  function keep(isOn) {
    const address = new URL(location.href);
    if (isOn) address.searchParams.set("live", "yes");
    else address.searchParams.delete("live");
    history.replaceState(history.state, "", address);
  }

  const isLive = () => Boolean(source || retry);

  function toggle() {
    const isOn = !isLive();
    if (isOn) {
      const newest = list.querySelector("time")?.dateTime;
      open(newest ?? new Date(Date.now() - 60_000).toISOString());
    } else stop();
    button.setAttribute("aria-pressed", String(isOn));
    pausing.hidden = !isOn;
    if (paused) pause();
    keep(isOn);
    announce(isOn ? "Live tail on" : "Live tail off");
    tell();
  }

  function pause() {
    if (pausing.hidden && !paused) return;
    paused = !paused;
    pausing.setAttribute("aria-pressed", String(paused));
    pausing.textContent = paused ? "Go on" : "Pause";
    if (!paused && !isRead()) flush();
    tell();
  }

  button.hidden = false;
  button.addEventListener("click", toggle);
  pausing.addEventListener("click", pause);
  pill.addEventListener("click", () => {
    if (paused) pause();
    flush();
    tell();
    document.querySelector(".log-head").scrollIntoView({ block: "nearest" });
  });
  addEventListener("pagehide", () => source?.close());
  if (new URLSearchParams(location.search).get("live") === "yes") toggle();
  return { toggle, pause, isOn: isLive };
}
