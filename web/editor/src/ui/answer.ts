// The answer, before and after: the model's own answer first, the true class second, then whatever else is
// or was likely. The rows keep their places while somebody paints; only numbers and bars move.

import type { ClassScore, Scores } from "../api/types.ts";
import type { Desk } from "../desk.ts";
import { probability } from "../format.ts";
import { fill, h, say } from "./element.ts";

export interface AnswerRow {
  readonly class: number;
  readonly name: string;
  readonly before: number | null; // probability; null where it is not known
  readonly after: number | null;
  readonly truth: boolean;
  readonly answer: boolean; // the answer as it is now
}

const shownRows = 6;

/** The rows of the panel: the answer before, the truth, then the likeliest of either. */
export function answerRows(
  names: readonly string[], label: number | undefined, predicted: readonly ClassScore[], before: Scores | null, after: Scores | null,
): AnswerRow[] {
  const listed = new Map(predicted.map((s) => [s.class, s.probability]));
  const p = (scores: Scores | null, c: number) => scores?.probabilities[c] ?? null;
  const was = (c: number) => p(before, c) ?? listed.get(c) ?? null;
  const first = (before?.top ?? predicted)[0]?.class;
  const now = (after ?? before)?.top[0]?.class ?? first;
  const others = new Set([...(before?.top ?? predicted), ...(after?.top ?? [])].map((s) => s.class));
  const likely = (c: number) => Math.max(was(c) ?? 0, p(after, c) ?? 0);
  const rest = [...others].filter((c) => c !== first && c !== label).sort((a, b) => likely(b) - likely(a) || a - b);
  const order = [first, label === first ? undefined : label, ...rest].filter((c): c is number => c !== undefined);
  // Wherever the answer is now, it is listed.
  const visible = order.slice(0, shownRows);
  if (now !== undefined && !visible.includes(now)) visible[visible.length - 1] = now;
  return visible.map((c) => ({
    class: c, name: names[c] ?? `class ${c}`, before: was(c), after: p(after, c), truth: c === label, answer: c === now,
  }));
}

export function answerPanel(desk: Desk): HTMLElement {
  const body = h("tbody");
  const table = h(
    "table.answers", { "data-testid": "answer" },
    h("thead", {}, h("tr", {}, h("th"), h("th"), h("th.num", { scope: "col" }, "before"), h("th.num", { scope: "col" }, "after"), h("th"))),
    body,
  );
  const verdict = h("p.verdict", { "data-testid": "verdict" });
  const flip = h("p.visually-hidden", { role: "status", "aria-live": "polite", "data-testid": "flip" });

  const show = () => {
    const { detail } = desk;
    if (!detail) return;
    const label = detail.image.label;
    const rows = answerRows(detail.project.classes.map((c) => c.name), label, detail.prediction.top, desk.before, desk.after);
    fill(body, ...rows.map((row) => answerRow(row)));
    const now = rows.find((r) => r.answer);
    const judged = label === undefined ? "" : now?.truth ? "right" : "wrong";
    verdict.dataset["verdict"] = judged;
    const flipped = desk.after && rows[0] && now && now.class !== rows[0].class;
    say(verdict, now ? `${judged === "right" ? "✓ " : judged === "wrong" ? "✗ " : ""}${flipped ? "now " : ""}${judged}${judged ? ": " : ""}${now.name}` : "");
  };
  desk.on("opened", () => {
    say(flip, "");
    show();
  });
  desk.on("scores", show);
  desk.on("flip", (words) => say(flip, words));
  return h("section.panel-section", { "aria-label": "The answer" }, h("h2", {}, "The answer"), table, verdict, flip);
}

function answerRow(row: AnswerRow): HTMLElement {
  const change = row.before !== null && row.after !== null ? row.after - row.before : 0;
  const arrow = change > 0.005 ? "▲" : change < -0.005 ? "▼" : "";
  const sign = row.truth ? "✓" : row.answer ? "✗" : "";
  const bar = h("span.likely", { "aria-hidden": "true" });
  bar.style.width = `${Math.round(100 * (row.after ?? row.before ?? 0))}%`;
  return h(
    "tr", { "data-class": row.class, "data-truth": row.truth || undefined, "data-answer": row.answer || undefined },
    h("td.sign", { title: row.truth ? "The true class" : row.answer ? "The model's answer, which is wrong" : undefined }, sign),
    h("th", { scope: "row", title: row.name }, h("span.name", {}, row.name), bar),
    h("td.num.before", {}, row.before === null ? "–" : probability(row.before)),
    h("td.num.after", {}, row.after === null ? "–" : probability(row.after)),
    h("td.change", { "aria-label": arrow === "▲" ? "rose" : arrow === "▼" ? "fell" : undefined }, arrow),
  );
}
