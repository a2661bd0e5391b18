// A log record of the live tail as a row, the same as log_parts.html draws one.
import { clock } from "./time.js";

const LONGEST = 2_000;
const own = {
  service: "service", environment: "environment", release: "release", instance: "instance",
  correlation: "correlation_id", signature: "signature_id", span: "span_id", sequence: "sequence",
};

function attribute(values, name) {
  if (values === null || typeof values !== "object") return undefined;
  if (Object.hasOwn(values, name)) return values[name];
  const dot = name.indexOf(".");
  return dot < 0 ? undefined : attribute(values[name.slice(0, dot)], name.slice(dot + 1));
}

function said(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function cell(record, column) {
  const one = document.createElement("span");
  one.className = "log-cell";
  if (column === "level") {
    one.className += ` log-level level level-${record.level.toLowerCase()}`;
    one.textContent = record.level;
    return one;
  }
  const value = column.startsWith("attr.")
    ? attribute(record.attributes, column.slice(5)) : record[own[column]];
  one.textContent = said(value).slice(0, LONGEST);
  one.title = one.textContent;
  return one;
}

function errorOf(record) {
  const { type, message } = record.exception ?? {};
  if (!type) return "";
  const told = message ? `${type}: ${message}` : type;
  return record.message.includes(told) ? "" : told.slice(0, LONGEST);
}

function columns() {
  return [...document.querySelectorAll(".log-head .log-cell")].map((one) => one.textContent);
}

function link(address, text) {
  const one = document.createElement("a");
  one.href = address;
  one.textContent = text;
  return one;
}

export function rowOf(record) {
  const { correlation_id, occurred_at, record_id } = record;
  const address = `/logs/record?${new URLSearchParams({ correlation_id, occurred_at, record_id })}`;
  const chain = `/chains/${encodeURIComponent(correlation_id)}`;

  const time = document.createElement("time");
  time.className = "log-time";
  time.dateTime = occurred_at;
  time.dataset.as = "clock";
  time.textContent = clock(new Date(occurred_at));
  const message = document.createElement("span");
  message.className = "log-message";
  message.textContent = record.message.slice(0, LONGEST);
  const error = errorOf(record);
  if (error) {
    const beside = document.createElement("span");
    beside.className = "log-error-said";
    beside.textContent = error;
    message.append(" ", beside);
  }
  const summary = document.createElement("summary");
  summary.append(time, ...columns().map((column) => cell(record, column)), message);

  const body = document.createElement("div");
  body.className = "log-body";
  body.append(link(address, "Open this record"), " · ", link(chain, "Chain"));
  const details = document.createElement("details");
  details.setAttribute("hx-get", address);
  details.setAttribute("hx-include", "#asked-now input");
  details.setAttribute("hx-target", "find .log-body");
  details.setAttribute("hx-trigger", "toggle once");
  details.append(summary, body);
  const row = document.createElement("li");
  row.className = `log log-${record.level.toLowerCase()}`;
  row.dataset.record = record_id;
  row.dataset.chain = chain;
  row.append(details);
  return row;
}
