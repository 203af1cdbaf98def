// Pins: where a reviewer points on the map that they sent back, with their words, over the canvas and in the note above it.

import type { Pin } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import type { Editor } from "../editor.ts";
import { imagePoint } from "../geometry.ts";
import { t } from "../words.ts";
import { fill, h } from "./element.ts";
import type { Stage } from "./stage.ts";

const place = (pin: Pin): string => t("row {row}, column {column}", { row: pin.row + 1, column: pin.column + 1 });

interface Judged<R> { readonly state: string; readonly edit?: { readonly corrects?: number }; readonly reviews: readonly R[] }
interface Verdict { readonly verdict: string; readonly taken_back_at?: string; readonly pins: readonly Pin[] }

/**
 * What reviewers have said to the painter that is to be known now: the correction of the map, where that is one, and the verdict that asks
 * for changes.
 */
export function wordsFor<R extends Verdict>(detail: Judged<R>): R[] {
  const stand = detail.reviews.filter((review) => !review.taken_back_at);
  const correction = detail.edit?.corrects ? stand.filter((review) => review.verdict === "correct").at(-1) : undefined;
  const last = stand.at(-1);
  return [...(correction ? [correction] : []), ...(last?.verdict === "reject" && detail.state !== "approved" ? [last] : [])];
}

/** The pins of the verdict that was given last of those; none where there is none. */
export const pinsToMend = (detail: Judged<Verdict>): readonly Pin[] => wordsFor(detail).at(-1)?.pins ?? [];

/** Pins in words, for the reviewer's note. */
export function pinWords(pins: readonly Pin[]): HTMLElement[] {
  if (pins.length === 0) return [];
  return [h("ol.pin-words", { "data-testid": "pin-words" }, ...pins.map((pin) => h("li", {}, place(pin), pin.words ? `: ${pin.words}` : "")))];
}

/** Numbers on the pinned cells, with the words beside them. They let strokes through. */
export function pinLayer(stage: Stage, desk: Desk): HTMLElement {
  const { editor } = desk;
  const layer = h("div.pin-layer", { "aria-hidden": "true", "data-testid": "pins" });
  let marks: { pin: Pin; element: HTMLElement }[] = [];
  const put = () => {
    for (const { pin, element } of marks) {
      const at = cellCorner(editor, pin);
      element.style.transform = `translate(${Math.round(at.x + stage.origin.x)}px, ${Math.round(at.y + stage.origin.y)}px)`;
      element.style.setProperty("--cell-width", `${at.width}px`);
      element.style.setProperty("--cell-height", `${at.height}px`);
    }
  };
  desk.on("opened", (detail) => {
    const pins: readonly Pin[] = desk.correcting ? (desk.said.pins ?? []) : pinsToMend(detail);
    marks = pins.map((pin, i) => ({ pin, element: h("div.pin", {}, h("b", {}, String(i + 1)), ...(pin.words ? [h("span", {}, pin.words)] : [])) }));
    fill(layer, ...marks.map(({ element }) => element));
    put();
  });
  editor.on("changed", put);
  new ResizeObserver(put).observe(stage.element);
  return layer;
}

/** The upper left corner and the size of a cell on a pane, in CSS pixels. */
function cellCorner(editor: Editor, pin: Pin): { x: number; y: number; width: number; height: number } {
  const { region } = editor.scene;
  const { rows, columns } = editor.document;
  const at = (row: number, column: number) => editor.viewport.toScreen(imagePoint(region.x + (column / columns) * region.width, region.y + (row / rows) * region.height));
  const from = at(pin.row, pin.column), to = at(pin.row + 1, pin.column + 1);
  return { x: from.x, y: from.y, width: to.x - from.x, height: to.y - from.y };
}
