// A round as it happens: its event stream moves the progress and draws the curves of both arms.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Round, RoundPoint as Point } from "../editor/src/api/schema.d.ts";
import { duration } from "./clock.ts";
import { count, said, t } from "../editor/src/words.ts";

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
/** The arms whose curves are drawn, as the legend has them, each with the points of its seeds by step. */
const names = [...document.querySelectorAll<HTMLElement>("[data-curve]")].map((i) => i.dataset["curve"] ?? "");
const arms = new Map(names.map((name) => [name, new Map<number, Map<number, Point>>()]));
const charts = new Map<Key, uPlot>();
/** null while the round's γ is not known: it is searched, and told with the result. */
let gamma: number | null = 1;

/** L_map of the control is what its maps' distance would have cost with the candidate's γ. */
const value = (p: Point, key: Key) => {
  if (key === "validation_loss") return p.validation_loss ?? null; // at the end of an epoch only
  return key === "loss_map" && p.arm === "control" ? (gamma === null ? null : gamma * p.map_distance) : p[key];
};

/** The most seeds that an arm has: as many thin lines are drawn for each arm, where there are several. */
const seeds = Math.max(1, Number(article?.dataset["seeds"] ?? 1));

/** The steps, the mean of each arm's seeds where all of them have a value, and, of several seeds, each one's own line. */
function data(key: Key): uPlot.AlignedData {
  const curves = names.map((name) => [...(arms.get(name)?.values() ?? [])]);
  const steps = [...new Set(curves.flatMap((all) => all.flatMap((seed) => [...seed.keys()])))].sort((a, b) => a - b);
  const of = (seed: Map<number, Point> | undefined) => steps.map((s) => {
    const p = seed?.get(s);
    return p ? value(p, key) : null;
  });
  const lines = curves.map((all) => all.map(of));
  const means = lines.map((all) => steps.map((_, i) => {
    const values = all.map((line) => line[i]).filter((v) => v != null);
    return values.length > 0 && values.length === all.length ? values.reduce((sum, v) => sum + v, 0) / values.length : null;
  }));
  const thin = seeds > 1 ? lines.flatMap((all) => Array.from({ length: seeds }, (_, n) => all[n] ?? steps.map(() => null))) : [];
  return [steps, ...means, ...thin];
}

function build(): void {
  for (const [key, chart] of charts) {
    chart.destroy();
    charts.delete(key);
  }
  const line = token("--line");
  const text = token("--muted");
  const colour = (name: string) => token(`--${name.replaceAll("_", "-")}`);
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: "11px Inter, sans-serif" };
  for (const place of document.querySelectorAll<HTMLElement>("[data-chart]")) {
    const key = place.dataset["chart"] as Key;
    const series = (name: string) => ({ label: name, stroke: colour(name), width: seeds > 1 ? 2 : 1.5, spanGaps: true, points: { show: (u: uPlot) => u.data[0].length <= 40, size: 5 } });
    const thin = (name: string) => ({ label: name, stroke: colour(name), alpha: 0.35, width: 1, spanGaps: true, points: { show: false } });
    const chart = new uPlot(
      {
        width: place.clientWidth, height: 180, legend: { show: false },
        cursor: { sync: { key: "round" }, points: { size: 5 }, drag: { x: true, y: false } },
        scales: { x: { time: false }, y: { range: (_u, low, high) => [Math.min(0, low), high === low ? high + 1 : high * 1.05] } },
        axes: [{ ...axis, size: 28 }, { ...axis, size: 44 }],
        series: [{ label: "step" }, ...names.map(series), ...(seeds > 1 ? names.flatMap((name) => Array.from({ length: seeds }, () => thin(name))) : [])],
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
  const last = (i: number) => u.cursor.idx != null ? u.data[i]?.[u.cursor.idx] : [...(u.data[i] ?? [])].reverse().find((v) => v != null);
  const show = (v: number | null | undefined) => (v == null ? "–" : v.toFixed(3));
  place.textContent = names.map((_, i) => show(last(i + 1))).join(" · ");
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
  set("steps", p.steps > 0 ? t("{n} of {total} {unit}", { n: count(p.step), total: count(p.steps), unit: said(p.unit ?? "") }) : p.phase ? t("starting") : t("waiting for a worker"));
  set("remaining", p.remaining_seconds > 0 ? t("{time} left", { time: duration(p.remaining_seconds) }) : "");
  for (const note of panel.querySelectorAll<HTMLElement>("[data-wait]")) note.hidden = note.dataset["wait"] !== (p.waits ?? "");
  const steps = [...panel.querySelectorAll<HTMLElement>("[data-phase]")];
  const at = steps.findIndex((s) => s.dataset["phase"]?.split(" ").includes(p.phase));
  steps.forEach((s, i) => (s.className = i < at ? "done" : i === at ? "now" : ""));
  const chip = article?.querySelector(".head .chip");
  if (chip && !over(round.state)) {
    chip.textContent = said(round.state);
    chip.className = `chip chip-${round.state}`;
  }
}

function follow(): void {
  const events = new EventSource(`/api/v1/rounds/${article?.dataset["round"] ?? ""}/events`);
  events.addEventListener("point", (event) => {
    const point = JSON.parse(event.data as string) as Point;
    const all = arms.get(point.arm);
    if (!all) return;
    const seed = point.seed ?? 0;
    if (!all.has(seed)) all.set(seed, new Map());
    all.get(seed)?.set(point.step, point);
    if (note) note.textContent = t("step {step}, epoch {epoch}", { step: count(point.step), epoch: point.epoch.toFixed(1) });
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
    else if (note && ![...arms.values()].some((all) => all.size > 0)) note.textContent = t("No step was recorded.");
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
