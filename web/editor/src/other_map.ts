// A map that is drawn in place of the one being painted, on a grid of its own.

import { clampValue } from "./grid.ts";

/** What is drawn, and what it was made from. */
export interface OtherMap {
  readonly id: number; // tells one from the next
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array; // in [0,1]; none where there is nothing to draw
  /** What the method gave: raw values and the largest of them. */
  readonly raw: { readonly values: readonly number[]; readonly max: number } | null;
}

/** What is drawn of a hint, in place of the map and on its grid. */
export interface HintMap {
  readonly id: number; // tells one from the next
  readonly values: Float32Array; // in [−1,1]: the derivatives, divided by the largest of either sign
  readonly raw: readonly number[];
}

/** Values for display: what is above 0, divided by the largest. */
export function normalised(values: readonly number[], max: number): Float32Array {
  return Float32Array.from(values, (v) => (max > 0 ? clampValue(v / max) : 0));
}

/** A map on another grid, bilinear between the centres of its cells, edges repeated. */
export function resampled(map: Pick<OtherMap, "rows" | "columns" | "values">, rows: number, columns: number): Float32Array {
  if (map.rows === rows && map.columns === columns) return map.values.slice();
  const along = (cells: number, from: number) => Array.from({ length: cells }, (_, i) => {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / cells - 0.5));
    const low = Math.min(Math.floor(at), Math.max(0, from - 2));
    return { low, high: Math.min(from - 1, low + 1), share: at - low };
  });
  const [ys, xs] = [along(rows, map.rows), along(columns, map.columns)];
  const value = (row: number, column: number) => map.values[row * map.columns + column] ?? 0;
  return Float32Array.from(ys.flatMap((y) => xs.map((x) => {
    const above = value(y.low, x.low) * (1 - x.share) + value(y.low, x.high) * x.share;
    const below = value(y.high, x.low) * (1 - x.share) + value(y.high, x.high) * x.share;
    return clampValue(above * (1 - y.share) + below * y.share);
  })));
}
