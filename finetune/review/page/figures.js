// Figures: sleep statistics, and the agreement with the other scoring.

import { get, make } from "./dom.js";
import * as server from "./server.js";

const TIMES = [
  ["trt_min", "Total recording time", "min"],
  ["tst_min", "Total sleep time", "min"],
  ["sleep_efficiency_pct", "Sleep efficiency", "%"],
  ["sol_min", "Sleep onset latency", "min"],
  ["rem_latency_min", "REM latency, from sleep onset", "min"],
  ["waso_min", "WASO, to lights on", "min"],
  ["waso_in_spt_min", "WASO, to the last sleep", "min"],
  ["awakenings", "Awakenings", ""],
  ["stage_shifts", "Stage shifts", ""],
  ["unscored_min", "Without a stage", "min"],
];

const number = (value, digits) =>
  value === null || value === undefined ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const row = (head, ...cells) =>
  make("tr", {}, make("th", { scope: "row" }, head), ...cells.map((cell) => make("td", {}, cell)));

const wide = (head, cell) =>
  make("tr", {}, make("th", { scope: "row", colSpan: 2 }, head), make("td", {}, cell));

export function showStatistics({ statistics, lights }) {
  if (!statistics) return;
  const label = (key, text) => (key === "waso_min" && lights.on_s === null ? "WASO, to the end" : text);
  const lines = TIMES.map(([key, text, unit]) =>
    wide(label(key, text), `${number(statistics[key], unit ? 1 : 0)}${unit && statistics[key] !== null ? ` ${unit}` : ""}`),
  );
  const stages = Object.entries(statistics.stage_min ?? {}).map(([stage, minutes]) => {
    const share = statistics.stage_pct?.[stage];
    return row(stage, `${number(minutes, 1)} min`, share === undefined ? "" : `${number(share, 1)} %`);
  });
  const head = make("tr", {}, make("th", { scope: "col" }, "Stage"), make("th", { scope: "col" }, "Time"), make("th", { scope: "col" }, "of TST"));
  get("statistics").replaceChildren(make("tbody", {}, ...lines), make("tbody", {}, head, ...stages));
}

let asked = 0;

// The answer that was asked for last is shown, in whichever order they come.
export async function showAgreement(night) {
  const ticket = (asked += 1);
  const told = await server.agreement(night.id);
  if (ticket !== asked) return;
  const kappa = told.kappa === null ? "κ undefined" : `κ ${number(told.kappa, 2)}`;
  const says = `${number(100 * told.accuracy, 1)} % of ${number(told.n, 0)} epochs, ${kappa}`;
  const head = make("tr", {}, make("td", {}), ...night.stages.map((stage) => make("th", { scope: "col" }, stage)));
  const rows = told.confusion.map((counts, index) => {
    const line = row(night.stages[index], ...counts.map((count) => number(count, 0)));
    line.cells[index + 1].className = "same";
    return line;
  });
  get("agreement").replaceChildren(
    make("p", {}, says),
    make("table", { className: "confusion" }, make("caption", {}, `Rows: ${night.against_name}; columns: this review`), make("tbody", {}, head, ...rows)),
  );
}
