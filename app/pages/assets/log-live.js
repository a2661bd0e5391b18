// The live tail: records come on top, and nothing that is being read moves.
import { announce } from "./announce.js";
import { rowOf } from "./log-row.js";

const MOST = 1_000;
const RETRY_MS = 2_000;

export function liveTail() {
  const list = document.getElementById("log-rows");
  const button = document.getElementById("log-live");
  const pausing = document.getElementById("log-pause");
  const state = document.getElementById("log-live-state");
  const pill = document.getElementById("log-new");
  if (!list || !button) return { toggle() {}, pause() {} };

  let source = null;
  let cursor = "";
  let paused = false;
  let waiting = [];
  let came = 0;
  let skipped = 0;
  let uncounted = false;
  let retry = 0;
  let scheduled = false;
  const query = button.dataset.q;
  const seen = new Set([...list.children].map((row) => row.dataset.record));

  // Whoever scrolled down, opened a record, stands on one or marked text is reading.
  function isRead() {
    const top = list.getBoundingClientRect().top;
    const marked = getSelection();
    return paused || top < 0 || list.querySelector("details[open]") !== null
      || list.contains(document.activeElement)
      || (!marked.isCollapsed && list.contains(marked.anchorNode));
  }

  function take(record) {
    if (seen.has(record.record_id)) return;
    seen.add(record.record_id);
    came += 1;
    waiting.push(record);
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
    const rows = waiting.map(rowOf).reverse();
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
    const asked = new URLSearchParams({ q: query, from: since, limit: MOST });
    try {
      const answer = await fetch(`/api/logs?${asked}`);
      if (!answer.ok) return;
      for (const record of (await answer.json()).records.reverse()) take(record);
    } catch { /* The stream itself tells that the connection is gone. */ }
  }

  function open(since) {
    const asked = new URLSearchParams({ q: query });
    if (cursor) asked.set("after", cursor);
    source = new EventSource(`/api/logs/live?${asked}`);
    source.onopen = () => {
      retry = 0;
      tell();
      if (!cursor && since) catchUp(since);
      since = "";
    };
    source.onmessage = (event) => {
      cursor = event.lastEventId || cursor;
      take(JSON.parse(event.data));
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

  function toggle() {
    const isOn = !(source || retry);
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
  return { toggle, pause };
}
