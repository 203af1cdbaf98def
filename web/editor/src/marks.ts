// What a person says of a cell beside its value: that they don't know, or that nothing is to be looked at there. Marks lie in an array of
// their own beside the values, as levels in [0, 1], so that strokes and undo treat both alike. On the wire they are letters.

import { t } from "./words.ts";

/** What the brush puts down: values, or one of the marks. */
export const layers = ["values", "unknown", "avoided"] as const;
export type Layer = (typeof layers)[number];
export type Mark = Exclude<Layer, "values">;

/** What a marked cell has in the array of marks; 0 is a cell that carries its value. */
export const levels = { unknown: 0.5, avoided: 1 } as const satisfies Record<Mark, number>;
const letters = { values: ".", unknown: "?", avoided: "x" } as const satisfies Record<Layer, string>;

/** In words, as strokes, the status line and screen readers have them. */
export const markWords = { unknown: t("don't know"), avoided: t("do not look here") } as const satisfies Record<Mark, string>;

/** The mark that a level stands for; null: the cell carries its value. */
export const markAt = (level: number | undefined): Mark | null => (!level ? null : level < (levels.unknown + levels.avoided) / 2 ? "unknown" : "avoided");

export const anyMark = (marks: Float32Array): boolean => marks.some((level) => level !== 0);

/** Marks as letters; undefined where no cell has one. */
export function marksToWire(marks: Float32Array): string | undefined {
  if (!anyMark(marks)) return undefined;
  return Array.from(marks, (level) => letters[markAt(level) ?? "values"]).join("");
}

/** The mark that a letter stands for; null: the cell carries its value. */
export const markOf = (letter: string | undefined): Mark | null => (letter === letters.unknown ? "unknown" : letter === letters.avoided ? "avoided" : null);

/** Levels of `cells` cells. Throws where the letters do not fit. */
export function marksFromWire(wire: string | undefined, cells: number): Float32Array {
  const out = new Float32Array(cells);
  if (!wire) return out;
  if (wire.length !== cells) throw new RangeError(`${wire.length} marks for ${cells} cells`);
  for (let i = 0; i < cells; i++) {
    const mark = markOf(wire[i]);
    if (mark) out[i] = levels[mark];
  }
  return out;
}
