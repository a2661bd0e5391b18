// The chart of failing chains: point at it to read a bucket, drag over it to see its log records.
const clock = new Intl.DateTimeFormat(undefined, {
  weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const HEIGHT = 148;
const SMALLEST_DRAG = 6;
const REFRESH = 20_000;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function tell(series, index) {
  if (index == null) return "";
  const start = series.starts[index] * 1000;
  const until = start + series.width * 1000;
  const span = `${clock.format(start)} – ${clock.format(until)}`;
  return `${span} · ${series.unknown[index]} unknown, ${series.known[index]} known`;
}

function bars(uPlot) {
  return uPlot.paths.bars({ size: [0.78, 40], align: 1 });
}

function options(uPlot, series, width) {
  const axis = {
    stroke: colour("--quiet"), font: "12px system-ui",
    grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false },
  };
  const layer = (label, name) => ({
    label, fill: colour(name), width: 0, paths: bars(uPlot), points: { show: false },
  });
  return {
    width, height: HEIGHT, padding: [6, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false, points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: SMALLEST_DRAG },
    },
    scales: {
      x: { range: (_, from, to) => [from, to + series.width] },
      y: { range: (_, __, most) => [0, Math.max(most, 1)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, values: "{HH}:{mm}", ...ticks(series) },
      { ...axis, size: 40, space: 32, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] },
    ],
    // The whole stack first, its lower part over it.
    series: [{}, layer("known", "--known-fill"), layer("unknown", "--unknown-fill")],
    hooks: {
      setCursor: [(chart) => { document.getElementById("trend-told").textContent = tell(series, chart.cursor.idx); }],
      setSelect: [(chart) => open(chart, series)],
    },
  };
}

function ticks(series) {
  const days = series.width * series.starts.length > 2 * 86400;
  const format = new Intl.DateTimeFormat(undefined, days
    ? { weekday: "short", day: "numeric" }
    : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return { values: (_, moments) => moments.map((one) => format.format(one * 1000)), space: days ? 90 : 60 };
}

function open(chart, series) {
  if (chart.select.width < SMALLEST_DRAG) return;
  const at = (pixels) => new Date(chart.posToVal(pixels, "x") * 1000);
  const from = at(chart.select.left);
  const to = new Date(Math.max(at(chart.select.left + chart.select.width), +from + series.width));
  const query = new URLSearchParams({ q: "level:>=error", from: from.toISOString(), to: to.toISOString() });
  location.assign(`/logs?${query}`);
}

function dataOf(series) {
  const whole = series.known.map((count, index) => count + series.unknown[index]);
  return [series.starts, whole, series.unknown];
}

function draw() {
  const place = document.getElementById("trend");
  if (!place || !window.uPlot) return undefined;
  const series = JSON.parse(place.dataset.series);
  place.replaceChildren();
  const chart = new window.uPlot(options(window.uPlot, series, place.clientWidth), dataOf(series), place);
  chart.root.setAttribute("role", "img");
  chart.root.setAttribute("aria-label", place.dataset.label);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  return chart;
}

function redraw() {
  chart?.destroy();
  chart = draw();
}

let chart = draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
document.addEventListener("htmx:after:swap", redraw);
setInterval(() => {
  if (document.visibilityState === "visible" && !chart?.select.width) window.htmx?.trigger("#live", "refresh");
}, REFRESH);
