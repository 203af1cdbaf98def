// The line under the canvas: the cell under the pointer or the keyboard, its value, what the model gave it, and
// what the attention mechanism makes of it, or else why the task is there; and how far we are zoomed in.

import type { Desk } from "../desk.ts";
import { gain, number, percent, value } from "../format.ts";
import type { OtherMap } from "../other_map.ts";
import { calm } from "./calm.ts";
import { mapPicker } from "./comparison.ts";
import { markAt, markWords } from "../marks.ts";
import { button, h, say } from "./element.ts";
import { keyWords } from "./keyed.ts";
import { icon } from "./icons.ts";
import { t } from "../words.ts";

/** What a marked cell is for the answer. */
const marksDo = { unknown: t("the model's own value"), avoided: t("0 for the answer") } as const;

/** What the status line and a screen reader say of a cell. */
export function cellWords(desk: Desk, cell: number): { place: string; value: string; was: string; gain: string; other?: string } {
  const { document, other } = desk.editor;
  const mechanism = desk.detail?.mechanism;
  const now = document.values[cell] ?? 0;
  const mark = markAt(document.marks[cell]);
  const { computed } = desk.comparison.entry;
  const helps = desk.hint.words(cell, number);
  const factor = mechanism ? gain(now, mechanism) : "";
  return {
    place: t("r {row} c {column}", { row: Math.floor(cell / document.columns) + 1, column: (cell % document.columns) + 1 }),
    value: mark ? t("mark") : value(now),
    was: t("was {value}", { value: value(document.model[cell] ?? 0) }),
    ...(other?.raw && computed ? { other: `${computed.methodName} ${number(valueAt(cell, document, other))}` } : !other && helps ? { other: helps } : {}),
    gain: mark ? `${markWords[mark]}: ${marksDo[mark]}` : [factor && t("gain {factor}", { factor }), now < 0.005 && mechanism?.zero].filter(Boolean).join(" "),
  };
}

/** What another map has where a cell of the document has its middle. */
function valueAt(cell: number, document: { readonly rows: number; readonly columns: number }, other: OtherMap): number {
  const along = (at: number, cells: number, others: number) => Math.floor(((at + 0.5) * others) / cells);
  const row = along(Math.floor(cell / document.columns), document.rows, other.rows);
  return other.raw?.values[row * other.columns + along(cell % document.columns, document.columns, other.columns)] ?? 0;
}

export function statusLine(desk: Desk): HTMLElement {
  const { editor } = desk;
  const place = h("span.status-place");
  const now = h("strong.status-value", { "data-testid": "cell-value" });
  const was = h("span.status-was");
  const gained = h("span.status-gain", { "data-testid": "cell-gain" });
  const hint = h("span.status-hint", { "data-testid": "why" });
  const zoom = h("span.status-zoom");

  const show = () => {
    const cell = editor.hover && editor.cell < 0 ? editor.placement.cellAt(editor.toMap(editor.hover)) : editor.cell;
    const words = cell >= 0 && desk.detail && !editor.sizing ? cellWords(desk, cell) : null;
    say(place, words?.place ?? "");
    say(now, words?.value ?? "");
    say(was, words?.other ?? words?.was ?? "");
    say(gained, words?.gain ?? "");
    const mode = modeHint(desk);
    say(hint, words ? "" : mode || (desk.detail?.why ?? ""));
    hint.toggleAttribute("data-why", !mode);
    say(zoom, t("zoom {percent}", { percent: percent(editor.viewport.scale) }));
  };
  calm(editor, show);
  desk.on("opened", show);
  const whole = button("button.quiet.square", { "aria-label": t("Whole picture"), "data-keyed": t("Whole picture, with what the model sees outlined ({w})"), onclick: () => editor.toggleWhole() }, icon("whole"));
  calm(editor, () => whole.setAttribute("aria-pressed", String(editor.showWhole)));
  const photograph = button("button.quiet.square", { "aria-label": t("The photograph alone, while it is held"), "data-keyed": t("The photograph alone, while it is held ({p})"), "data-testid": "photograph" }, icon("eye"));
  photograph.addEventListener("pointerdown", () => editor.holdPhotograph(true));
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) photograph.addEventListener(end, () => editor.holdPhotograph(false));
  calm(editor, () => photograph.setAttribute("aria-pressed", String(editor.showPhotograph)));
  return h(
    "div.status", { "data-testid": "status" }, place, now, was, gained, hint, h("span.grow"), mapPicker(desk, "status"), zoom,
    button("button.quiet.square", { "aria-label": t("Fit"), title: t("Fit (Ctrl+0)"), onclick: () => editor.fit() }, icon("fit")),
    whole, photograph,
    button("button.quiet.square", { "aria-label": t("Help"), title: t("Keys and what they do (?)"), onclick: () => editor.emit("command", "help") }, icon("help")),
  );
}

function modeHint(desk: Desk): string {
  const { editor } = desk;
  if (editor.sizing) {
    const [size, hardness] = [editor.settings.get("size"), editor.settings.get("hardness")];
    return t("size {size} cells, {pixels} px · hardness {hardness}", { size: number(size), pixels: Math.round(size * editor.cellOnScreen), hardness: percent(hardness) });
  }
  if (editor.comparing) return "";
  const layer = editor.settings.get("layer");
  if (layer !== "values") return t("marking: {mark} ({key})", { mark: markWords[layer], key: keyWords(editor, "n") });
  if (editor.showPhotograph) return t("the photograph alone");
  if (editor.showModel) return t("the model's map");
  if (editor.hint) return t("the lines are your map");
  if (editor.showDifference) return t("difference to the model's map");
  if (editor.settings.get("stretch") && editor.settings.get("view") !== "spotlight") return t("colours stretched over this map's values ({key})", { key: keyWords(editor, "u") });
  if (editor.settings.get("view") === "spotlight") return desk.detail?.mechanism.dark ?? "";
  return "";
}
