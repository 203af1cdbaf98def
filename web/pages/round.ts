// A round as it happens: its event stream moves the progress and draws the curves of both arms.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Round, RoundPoint as Point } from "../editor/src/api/schema.d.ts";
import { duration } from "./clock.ts";

const article = document.querySelector<HTMLElement>("[data-round]");
const note = document.querySelector<HTMLElement>("[data-curves-note]");
const over = (state: string) => state === "finished" || state === "cancelled" || state === "failed";

/** A colour of the page's tokens, as a canvas understands it. */
function token(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

type Key = "loss_att" | "loss_per" | "loss_map" | "loss_anchor" | "validation_loss";
const arms = { candidate: new Map<number, Point>(), control: new Map<number, Point>() };
const charts = new Map<Key, uPlot>();
/** null while the round's γ is not known: it is searched, and told with the result. */
let gamma: number | null = 1;

/** L_map of the control is what its maps' distance would have cost with the candidate's γ. */
const value = (p: Point, key: Key) => {
  if (key === "validation_loss") return p.validation_loss ?? null; // at the end of an epoch only
  return key === "loss_map" && p.arm === "control" ? (gamma === null ? null : gamma * p.map_distance) : p[key];
};

function data(key: Key): uPlot.AlignedData {
  const steps = [...new Set([...arms.candidate.keys(), ...arms.control.keys()])].sort((a, b) => a - b);
  const line = (arm: "candidate" | "control") => steps.map((s) => {
    const p = arms[arm].get(s);
    return p ? value(p, key) : null;
  });
  return [steps, line("candidate"), line("control")];
}

function build(): void {
  for (const [key, chart] of charts) {
    chart.destroy();
    charts.delete(key);
  }
  const line = token("--line");
  const text = token("--muted");
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: "11px Inter, sans-serif" };
  for (const place of document.querySelectorAll<HTMLElement>("[data-chart]")) {
    const key = place.dataset["chart"] as Key;
    const series = (label: string, name: string) => ({ label, stroke: token(name), width: 1.5, spanGaps: true, points: { show: (u: uPlot) => u.data[0].length <= 40, size: 5 } });
    const chart = new uPlot(
      {
        width: place.clientWidth, height: 180, legend: { show: false },
        cursor: { sync: { key: "round" }, points: { size: 5 }, drag: { x: true, y: false } },
        scales: { x: { time: false }, y: { range: (_u, low, high) => [Math.min(0, low), high === low ? high + 1 : high * 1.05] } },
        axes: [{ ...axis, size: 28 }, { ...axis, size: 44 }],
        series: [{ label: "step" }, series("candidate", "--candidate"), series("control", "--control")],
        hooks: { setCursor: [(u) => readout(key, u)] },
      },
      data(key), place);
    charts.set(key, chart);
  }
}

/** The figures under the cursor, or the latest ones. */
function readout(key: Key, u: uPlot): void {
  const place = document.querySelector(`[data-latest="${key}"]`);
  if (!place) return;
  const last = (i: 1 | 2) => u.cursor.idx != null ? u.data[i]?.[u.cursor.idx] : [...(u.data[i] ?? [])].reverse().find((v) => v != null);
  const show = (v: number | null | undefined) => (v == null ? "–" : v.toFixed(3));
  place.textContent = `${show(last(1))} · ${show(last(2))}`;
}

let waiting = false;
function redraw(): void {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const [key, chart] of charts) {
      chart.setData(data(key));
      readout(key, chart);
    }
  });
}

function progress(round: Round): void {
  const panel = document.querySelector<HTMLElement>("[data-round-progress]");
  if (!panel) return;
  const p = round.progress;
  const set = (name: string, text: string) => {
    const element = panel.querySelector(`[data-${name}]`);
    if (element) element.textContent = text;
  };
  const bar = panel.querySelector<HTMLProgressElement>("[data-fraction]");
  if (bar) bar.value = p.fraction;
  set("percent", `${(100 * p.fraction).toFixed(1)}%`);
  set("steps", p.steps > 0 ? `${p.step.toLocaleString("en")} of ${p.steps.toLocaleString("en")} ${p.unit ?? ""}` : p.phase ? "starting" : "waiting for a worker");
  set("remaining", p.remaining_seconds > 0 ? `${duration(p.remaining_seconds)} left` : "");
  const steps = [...panel.querySelectorAll<HTMLElement>("[data-phase]")];
  const at = steps.findIndex((s) => s.dataset["phase"]?.split(" ").includes(p.phase));
  steps.forEach((s, i) => (s.className = i < at ? "done" : i === at ? "now" : ""));
  const chip = article?.querySelector(".head .chip");
  if (chip && !over(round.state)) {
    chip.textContent = round.state;
    chip.className = `chip chip-${round.state}`;
  }
}

function follow(): void {
  const events = new EventSource(`/api/v1/rounds/${article?.dataset["round"] ?? ""}/events`);
  events.addEventListener("point", (event) => {
    const point = JSON.parse(event.data as string) as Point;
    if (point.arm !== "candidate" && point.arm !== "control") return;
    arms[point.arm === "control" ? "control" : "candidate"].set(point.step, point);
    if (note) note.textContent = `step ${point.step.toLocaleString("en")}, epoch ${point.epoch.toFixed(1)}`;
    redraw();
  });
  events.addEventListener("round", (event) => {
    const round = JSON.parse(event.data as string) as Round;
    gamma = round.result?.gamma_search?.gamma ?? (round.settings.gamma_search ? null : round.settings.gamma);
    progress(round);
    if (round.unreadable && !document.querySelector(".unreadable")) location.reload(); // the list is the server's to tell
    if (over(round.state) && !over(article?.dataset["state"] ?? "")) location.reload(); // its result is the server's to tell
  });
  events.addEventListener("end", () => {
    events.close();
    if (!over(article?.dataset["state"] ?? "")) location.reload();
    else if (note && arms.candidate.size === 0) note.textContent = "No step was recorded.";
  });
}

if (article) {
  const told = article.dataset["gamma"] ?? "";
  gamma = told === "" ? null : Number(told);
  build();
  follow();
  addEventListener("themechange", build);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
  new ResizeObserver(() => {
    for (const chart of charts.values()) chart.setSize({ width: chart.root.parentElement?.clientWidth ?? 300, height: 180 });
  }).observe(article);
}
