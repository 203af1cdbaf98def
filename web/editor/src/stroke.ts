// A stroke in progress: what the brush has covered since it went down, and the resulting map.
//
// Coverage is gathered on a grid finer than the map's: each cell is cut into n×n parts, a part keeps the
// most that any single dab covered of it, and a cell's coverage is the mean of its parts. So a stroke
// covers the union of its dabs (a thin stroke right across a cell covers it as a band does), passing
// again adds nothing, and no cell ever gets more than the brush's strength.

import { cellBox, coverDisc, type CellBox } from "./disc.ts";
import { clampValue } from "./grid.ts";
import { blurred } from "./blur.ts";
import { paint, type PaintMode } from "./mode.ts";

export interface StrokeSettings {
  readonly mode: PaintMode;
  readonly strength: number; // [0,1]
  readonly hardness: number; // [0,1]
  readonly selection: Float32Array | null; // coverage per cell; null: everything
}

/** Parts per cell side for a brush of this radius: the dabs stay about as fine as the parts. */
export const partsFor = (radius: number): number => Math.min(8, Math.max(2, Math.ceil(3 / Math.max(0.1, radius)) + 1));

export class Stroke {
  /** The map before the stroke. */
  readonly before: Float32Array;
  /** Coverage so far of every cell, in [0,1]. */
  readonly coverage: Float32Array;
  private readonly parts: Float32Array;
  private readonly smoothed: Float32Array | null;
  private scratch = new Float64Array(0);
  private closed = false;

  constructor(
    private readonly values: Float32Array, // painted in place
    private readonly rows: number,
    private readonly columns: number,
    private readonly settings: StrokeSettings,
    private readonly n: number, // parts per cell side
    from?: Stroke, // goes on from this one, which stays as it is
  ) {
    this.before = from?.before ?? values.slice();
    this.coverage = from?.coverage.slice() ?? new Float32Array(values.length);
    this.parts = from?.parts.slice() ?? new Float32Array(values.length * n * n);
    this.smoothed = from ? from.smoothed : settings.mode === "smooth" ? blurred(values, rows, columns) : null;
  }

  /** One dab at (x, y), radii in cells; `weight` in [0,1] scales its coverage (pen pressure). */
  dab(x: number, y: number, rx: number, ry: number, weight = 1): void {
    if (this.closed) return;
    const { n, columns } = this;
    const fine = cellBox(x * n, y * n, rx * n, ry * n, columns * n, this.rows * n);
    const width = fine.right - fine.left;
    const size = width * (fine.bottom - fine.top);
    if (size <= 0) return;
    if (this.scratch.length < size) this.scratch = new Float64Array(size);
    coverDisc(x * n, y * n, rx * n, ry * n, this.settings.hardness, fine, this.scratch);
    for (let r = fine.top; r < fine.bottom; r++) {
      for (let c = fine.left; c < fine.right; c++) {
        const covered = (this.scratch[(r - fine.top) * width + c - fine.left] ?? 0) * weight;
        const part = r * columns * n + c;
        if (covered > (this.parts[part] ?? 0)) this.parts[part] = covered;
      }
    }
    this.settle({
      left: Math.floor(fine.left / n), top: Math.floor(fine.top / n),
      right: Math.ceil(fine.right / n), bottom: Math.ceil(fine.bottom / n),
    });
  }

  /** Covers cells by a given amount at once: fills of a selection or a flood. */
  fill(coverage: Float32Array): void {
    if (this.closed) return;
    for (let i = 0; i < coverage.length; i++) this.set(i, coverage[i] ?? 0);
  }

  /** The map after dabs that are not kept: `dabs` gets a copy of the stroke. */
  ahead(dabs: (copy: Stroke) => void): Float32Array {
    const copy = new Stroke(this.values.slice(), this.rows, this.columns, this.settings, this.n, this);
    dabs(copy);
    return copy.values;
  }

  /** Ends the stroke: whatever still holds it paints nothing more. */
  close(): void {
    this.closed = true;
  }

  private settle(box: CellBox): void {
    const { n, columns } = this;
    for (let row = box.top; row < box.bottom; row++) {
      for (let column = box.left; column < box.right; column++) {
        let sum = 0;
        for (let y = 0; y < n; y++) {
          const start = (row * n + y) * columns * n + column * n;
          for (let x = 0; x < n; x++) sum += this.parts[start + x] ?? 0;
        }
        this.set(row * columns + column, sum / (n * n));
      }
    }
  }

  private set(cell: number, coverage: number): void {
    if (coverage <= (this.coverage[cell] ?? 0)) return;
    this.coverage[cell] = coverage;
    const { mode, strength, selection } = this.settings;
    const inside = coverage * (selection ? (selection[cell] ?? 0) : 1);
    if (inside <= 0) return; // an untouched cell keeps its bits
    this.values[cell] = clampValue(paint(mode, this.before[cell] ?? 0, inside, strength, this.smoothed?.[cell] ?? 0));
  }
}
