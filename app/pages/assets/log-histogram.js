// The histogram as uPlot draws it: what is under the pointer is told, dragging takes that time.
import { clock } from "./time.js";

const HEIGHT = 96;

function colour(kind) {
  const names = { rest: "--line-strong", unknown: "--unknown-fill", known: "--known-fill", error: "--error" };
  return getComputedStyle(document.documentElement).getPropertyValue(names[kind]).trim();
}

function quiet(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Stacked: the series above holds those below it, and is drawn before them.
function stacked(series) {
  const sums = [];
  let below = series[0].map(() => 0);
  for (const values of series) {
    below = below.map((sum, at) => sum + values[at]);
    sums.push(below);
  }
  return sums.reverse();
}

function take(from, to) {
  const address = new URL(location.href);
  if (address.pathname !== "/logs") address.pathname = "/logs";
  address.searchParams.set("from", new Date(from * 1000).toISOString());
  address.searchParams.set("to", new Date(to * 1000).toISOString());
  for (const name of ["after", "live", "split"]) address.searchParams.delete(name);
  location.assign(address);
}

// Days where the whole spans days, else the time of day; as the reader's clock has them.
function moment(data) {
  const isLong = data.starts.at(-1) - data.starts[0] > 2 * 86_400;
  return (seconds) => {
    const told = clock(new Date(seconds * 1000));
    const isMidnight = told.slice(6, 11) === "00:00";
    return isLong || isMidnight ? told.slice(0, isLong && !isMidnight ? 11 : 5) : told.slice(6, data.bucket_seconds < 60 ? 14 : 11);
  };
}

function draw(figure) {
  const data = JSON.parse(figure.dataset.histogram);
  const readout = figure.parentElement.querySelector("[data-readout]");
  const usual = readout.textContent;
  const kinds = [...data.kinds].reverse();
  const bars = uPlot.paths.bars({ size: [0.85, 40], align: 1, gap: 1 });
  const text = quiet("--quiet");
  const line = quiet("--line");
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui" };

  function tell(plot) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined) return void (readout.textContent = usual);
    const parts = data.names.map((name, n) => `${data.series[n][at].toLocaleString("en")} ${name}`);
    readout.textContent = `${clock(new Date(data.starts[at] * 1000)).slice(0, 14)} · ${parts.reverse().join(" · ")}`;
  }

  const plot = new uPlot({
    width: figure.clientWidth,
    height: HEIGHT,
    padding: [7, 0, 0, 0],
    legend: { show: false },
    scales: { x: { range: (u, min, max) => [min, max + data.bucket_seconds] }, y: { range: (u, min, max) => [0, max * 1.12 || 1] } },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    axes: [
      { ...axis, grid: { show: false }, size: 22, space: 90, values: (u, all) => all.map(moment(data)) },
      { ...axis, size: 44, space: 28, values: (u, all) => all.map((v) => (Number.isInteger(v) ? v.toLocaleString("en", { notation: "compact" }) : "")) },
    ],
    series: [{}, ...kinds.map((kind) => ({ fill: colour(kind), width: 0, paths: bars, points: { show: false } }))],
    hooks: {
      setCursor: [tell],
      setSelect: [(u) => {
        if (u.select.width < 3) return;
        const from = u.posToVal(u.select.left, "x");
        const to = u.posToVal(u.select.left + u.select.width, "x");
        take(Math.floor(from), Math.max(Math.ceil(to), Math.floor(from) + 1));
      }],
    },
  }, [data.starts, ...stacked(data.series)]);
  const drawn = document.createElement("div");
  drawn.className = "log-plot";
  drawn.setAttribute("aria-hidden", "true");
  drawn.append(plot.root);
  // The picture stays for those who are read to.
  figure.querySelector(".chart").classList.add("unseen");
  figure.querySelector("figcaption").hidden = true;
  figure.append(drawn);
  const resizing = new ResizeObserver(() => {
    if (!drawn.isConnected) return resizing.disconnect();
    if (figure.clientWidth) plot.setSize({ width: figure.clientWidth, height: HEIGHT });
  });
  resizing.observe(figure);
  return () => { plot.destroy(); drawn.remove(); resizing.disconnect(); };
}

export function watchHistogram(place) {
  if (!place || typeof uPlot === "undefined") return;
  let clear = null;
  const again = () => {
    const figure = place.querySelector("[data-histogram]");
    clear?.();
    clear = figure && JSON.parse(figure.dataset.histogram).starts.length ? draw(figure) : null;
  };
  // Only when htmx put a figure in: what uPlot does within it changes children too.
  new MutationObserver(again).observe(place, { childList: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  again();
}
