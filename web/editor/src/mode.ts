// How painting changes a value. Coverage is how much of a cell the stroke covers, strength the brush's
// setting; both are in [0,1], and so is every result.

/**
 * How paint joins what is there:
 *   set       v → strength, as far as the cell is covered
 *   add       v + coverage · strength
 *   subtract  v − coverage · strength
 *   erase     v → 0, as far as the cell is covered times strength
 *   smooth    v → the mean of its neighbourhood, as far as the cell is covered times strength
 *   mark      v → strength, all of it, where at least half of the cell is covered
 */
export type PaintMode = "set" | "add" | "subtract" | "erase" | "smooth" | "mark";

/** From how much of a cell on a stroke of marks marks it, and one of values takes its mark away: what is seen to be painted carries a value. */
export const markedFrom = 0.5;
export const valuedFrom = 0.25;

/** The modes a brush can be switched to; the others belong to the eraser, the smoother and the marks. */
export const brushModes = ["set", "add", "subtract"] as const;
export type BrushMode = (typeof brushModes)[number];

/** A cell's value after a stroke: `before` the stroke, `smoothed` is only read by smooth. */
export function paint(mode: PaintMode, before: number, coverage: number, strength: number, smoothed: number): number {
  switch (mode) {
    case "set":
      return before + coverage * (strength - before);
    case "add":
      return before + coverage * strength;
    case "subtract":
      return before - coverage * strength;
    case "erase":
      return before - coverage * strength * before;
    case "smooth":
      return before + coverage * strength * (smoothed - before);
    case "mark":
      return coverage >= markedFrom ? strength : before;
  }
}

/** The opposite of a brush's mode, which X swaps it with; set swaps its strength instead. */
export const oppositeMode = (mode: BrushMode): BrushMode =>
  mode === "add" ? "subtract" : mode === "subtract" ? "add" : "set";
