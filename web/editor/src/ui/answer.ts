// The answer, before and after: the model's own answer first, the true class second, then whatever else is
// or was likely. The rows keep their places while somebody paints; only numbers and bars move.

import type { ClassScore, Project, Scores } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { digitsFor, probability } from "../format.ts";
import { calm } from "./calm.ts";
import { fill, h, say } from "./element.ts";
import { t } from "../words.ts";

export interface AnswerRow {
  readonly class: number;
  readonly name: string;
  readonly before: number | null; // probability; null where it is not known
  readonly after: number | null;
  readonly truth: boolean;
  readonly answer: boolean; // the answer as it is now
}

const shownRows = 6;

/** Why there is no answer to the map that is being painted. */
const beforeOnly = {
  live: "", submitted: t("What the network says to your map is told once it is submitted."), off: t("This project does not show what the network says to your map."),
} as const satisfies Record<Project["feedback"], string>;

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
    class: c, name: names[c] ?? t("class {class}", { class: c }), before: was(c), after: p(after, c), truth: c === label, answer: c === now,
  }));
}

export function answerPanel(desk: Desk): HTMLElement {
  const body = h("tbody");
  const after = h("th.num", { scope: "col" }, t("after"));
  const title = h("th.title", { colspan: 2 }, t("The answer"));
  const table = h(
    "table.answers", { "data-testid": "answer" },
    h("colgroup", {}, h("col.sign"), h("col"), h("col.num"), h("col.num"), h("col.change")),
    h("thead", {}, h("tr", {}, title, h("th.num", { scope: "col" }, t("before")), after, h("th"))),
    body,
  );
  const verdict = h("p.verdict", { "data-testid": "verdict" });
  const why = h("p.muted", { "data-testid": "feedback" });
  const flip = h("p.visually-hidden", { role: "status", "aria-live": "polite", "data-testid": "flip" });

  const views = new Map<number, RowView>();
  const blanks = Array.from({ length: shownRows }, () => h("tr", { "aria-hidden": "true" }, h("td", { colspan: 5 })));
  const show = () => {
    const { detail } = desk;
    if (!detail) return;
    table.toggleAttribute("data-stale", desk.stale);
    say(after, desk.stale ? t("earlier") : t("after"));
    after.title = desk.stale ? t("The studio did not answer: these figures are of an earlier map") : "";
    const label = detail.image.label;
    const rows = answerRows(detail.project.classes.map((c) => c.name), label, detail.prediction.top, desk.before, desk.after);
    const digits = digitsFor(Math.max(...rows.map((r) => r.before ?? 0)));
    const listed = rows.map((row) => {
      let view = views.get(row.class);
      if (!view) views.set(row.class, (view = new RowView(row)));
      view.show(row, digits);
      return view.element;
    });
    // As many rows as there can be, so that nothing below moves while somebody paints.
    const places = Math.min(shownRows, detail.project.classes.length);
    while (listed.length < places) listed.push(blanks[places - listed.length - 1] ?? h("tr"));
    if (listed.length !== body.children.length || listed.some((e, i) => body.children[i] !== e)) fill(body, ...listed);
    const now = rows.find((r) => r.answer);
    say(why, beforeOnly[detail.project.feedback]);
    const judged = label === undefined ? "" : now?.truth ? "right" : "wrong";
    verdict.dataset["verdict"] = judged;
    const flipped = desk.after && rows[0] && now && now.class !== rows[0].class;
    say(verdict, now ? verdictWords(judged, !flipped ? "as before" : judged === "wrong" && rows[0]?.class !== label ? "still" : "now", now.name) : "");
  };
  desk.on("opened", () => {
    say(flip, "");
    views.clear();
    say(title, t("The answer of v{number}", { number: desk.detail?.version.number ?? "" }));
    show();
  });
  desk.on("scores", calm(desk.editor, show));
  desk.on("flip", (words) => say(flip, words));
  return h("section.panel-section", { "aria-label": t("The answer") }, table, verdict, why, flip);
}

/** The answer in a sentence, and whether it is right: as it was before, now, or still wrong though it is another one. */
function verdictWords(judged: "" | "right" | "wrong", change: "as before" | "still" | "now", name: string): string {
  if (judged === "right") return change === "now" ? t("✓ now right: {class}", { class: name }) : t("✓ right: {class}", { class: name });
  if (judged === "wrong") return change === "now" ? t("✗ now wrong: {class}", { class: name }) : change === "still" ? t("✗ still wrong: {class}", { class: name }) : t("✗ wrong: {class}", { class: name });
  return change === "as before" ? name : t("now {class}", { class: name });
}

/** A row that stays on the page while its numbers change, so that its bar moves instead of being made anew. */
class RowView {
  private readonly sign = h("td.sign");
  private readonly bar = h("span.likely", { "aria-hidden": "true" });
  private readonly before = h("td.num.before");
  private readonly after = h("td.num.after");
  private readonly change = h("td.change");
  readonly element: HTMLTableRowElement;

  constructor(row: AnswerRow) {
    const name = h("th", { scope: "row", title: row.name }, h("span.name", {}, row.name), this.bar);
    this.element = h("tr", { "data-class": row.class }, this.sign, name, this.before, this.after, this.change);
  }

  show(row: AnswerRow, digits: number): void {
    const difference = row.before !== null && row.after !== null ? row.after - row.before : 0;
    this.element.toggleAttribute("data-truth", row.truth);
    this.element.toggleAttribute("data-answer", row.answer);
    say(this.sign, row.truth ? "✓" : row.answer ? "✗" : "");
    this.sign.title = row.truth ? t("The true class") : row.answer ? t("The model's answer, which is wrong") : "";
    say(this.before, row.before === null ? "–" : probability(row.before, digits));
    say(this.after, row.after === null ? "–" : probability(row.after, digits));
    const seen = 0.5 * 10 ** -digits;
    say(this.change, difference > seen ? "▲" : difference < -seen ? "▼" : "");
    this.change.ariaLabel = difference > seen ? t("rose") : difference < -seen ? t("fell") : "";
    this.bar.style.width = `${Math.round(100 * (row.after ?? row.before ?? 0))}%`;
  }
}
