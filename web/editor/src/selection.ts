// A selection: how much of each cell lies inside a shape, in [0,1]. Shapes are measured by area, as
// dabs are, so that a lasso drawn a pixel further selects a little more and not a cell more.

import { cellBox, coverDisc } from "./disc.ts";
import { mapPoint, type MapPoint } from "./geometry.ts";
import { contour } from "./render/contours.ts";

export interface Selection {
  readonly coverage: Float32Array;
  /** What was drawn, for the outline. */
  readonly outline: readonly MapPoint[];
  /** Its edge in pieces, where it is no single shape. */
  readonly edges?: readonly (readonly [MapPoint, MapPoint])[];
  /** The segmenter that made it, by its encoder's hash. */
  readonly segmenter?: string;
}

const scanlines = 16; // per row of cells; a span's ends are exact, so the error is in y only

/**
 * Coverage of every cell by a closed polygon, by the non-zero rule: a lasso that crosses itself
 * selects both loops.
 */
export function polygonCoverage(polygon: readonly MapPoint[], rows: number, columns: number): Float32Array {
  const out = new Float32Array(rows * columns);
  if (polygon.length < 3) return out;
  for (let line = 0; line < rows * scanlines; line++) {
    const y = (line + 0.5) / scanlines;
    const crossings: { x: number; winding: number }[] = [];
    for (const [i, a] of polygon.entries()) {
      const b = polygon[(i + 1) % polygon.length] ?? a;
      if (a.y <= y === b.y <= y) continue;
      crossings.push({ x: a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x), winding: a.y < b.y ? 1 : -1 });
    }
    crossings.sort((p, q) => p.x - q.x);
    const row = Math.floor(line / scanlines) * columns;
    let winding = 0;
    let from = 0;
    for (const crossing of crossings) {
      if (winding !== 0) addSpan(out, row, columns, from, crossing.x, 1 / scanlines);
      winding += crossing.winding;
      from = crossing.x;
    }
  }
  for (let i = 0; i < out.length; i++) if ((out[i] ?? 0) > 1) out[i] = 1;
  return out;
}

function addSpan(out: Float32Array, row: number, columns: number, from: number, to: number, height: number): void {
  from = Math.max(0, from);
  to = Math.min(columns, to);
  for (let c = Math.floor(from); c < to; c++) {
    const inside = Math.min(c + 1, to) - Math.max(c, from);
    out[row + c] = (out[row + c] ?? 0) + inside * height;
  }
}

/** Exact coverage of every cell by the rectangle between two corners. */
export function boxCoverage(a: MapPoint, b: MapPoint, rows: number, columns: number): Float32Array {
  const out = new Float32Array(rows * columns);
  const overlap = (from: number, to: number, cell: number) =>
    Math.max(0, Math.min(to, cell + 1) - Math.max(from, cell));
  for (let r = 0; r < rows; r++) {
    const down = overlap(Math.min(a.y, b.y), Math.max(a.y, b.y), r);
    if (down === 0) continue;
    for (let c = 0; c < columns; c++) {
      out[r * columns + c] = down * overlap(Math.min(a.x, b.x), Math.max(a.x, b.x), c);
    }
  }
  return out;
}

/** Exact coverage of every cell by the ellipse that fills the box between two corners. */
export function ellipseCoverage(a: MapPoint, b: MapPoint, rows: number, columns: number): Float32Array {
  const out = new Float32Array(rows * columns);
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
  const [rx, ry] = [Math.abs(b.x - a.x) / 2, Math.abs(b.y - a.y) / 2];
  if (rx === 0 || ry === 0) return out;
  const box = cellBox(x, y, rx, ry, columns, rows);
  const width = box.right - box.left;
  const covered = new Float64Array(Math.max(0, width * (box.bottom - box.top)));
  coverDisc(x, y, rx, ry, 1, box, covered);
  covered.forEach((c, i) => (out[(box.top + Math.floor(i / width)) * columns + box.left + (i % width)] = c));
  return out;
}

/** A selection of any shape, with its edge; null where it holds nothing. */
export function outlined(coverage: Float32Array, rows: number, columns: number, segmenter?: string): Selection | null {
  if (isEmpty(coverage)) return null;
  const edges = contour(coverage, rows, columns, 0.5).map(([a, b]): [MapPoint, MapPoint] => [mapPoint(a.x, a.y), mapPoint(b.x, b.y)]);
  return { coverage, outline: [], edges, ...(segmenter !== undefined && { segmenter }) };
}

/** Whether a selection holds anything worth keeping. */
export const isEmpty = (coverage: Float32Array): boolean => !coverage.some((c) => c > 1e-4);
