// Moments as the reader's clock has them; UTC stays at hand in the title.
const moment = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit",
  hourCycle: "h23", timeZoneName: "short",
});
const spans = [[86400, "d"], [3600, "h"], [60, "min"]];

export function utc(date) {
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function local(date) {
  const part = Object.fromEntries(moment.formatToParts(date).map((one) => [one.type, one.value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second} ${part.timeZoneName}`;
}

export function clock(date) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function ago(date, now = Date.now()) {
  const seconds = (now - date) / 1000;
  for (const [length, unit] of spans) {
    if (Math.abs(seconds) >= length) {
      const told = `${Math.floor(Math.abs(seconds) / length)} ${unit}`;
      return seconds > 0 ? `${told} ago` : `in ${told}`;
    }
  }
  return "just now";
}

function write(element) {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const forms = { ago, clock, moment: local };
  const text = forms[element.dataset.as](date);
  if (element.textContent !== text) element.textContent = text;
  const title = element.dataset.as === "moment" ? utc(date) : `${local(date)} · ${utc(date)}`;
  if (element.title !== title) element.title = title;
}

export function localise(root) {
  for (const element of root.querySelectorAll("time[data-as]")) write(element);
}

setInterval(() => localise(document), 30_000);
