// Which places of a picture are alike to the network, and the region that clicks select by it.

import type { Likeness as WireLikeness } from "./api/schema.d.ts";
import { fromBase64 } from "./history_codec.ts";

export interface Likeness {
  readonly rows: number;
  readonly columns: number;
  /** 127 times the cosine of every two cells, [rows·columns, rows·columns]. */
  readonly cosines: Int8Array;
}

/** A place clicked, in shares of the view; `add`: what is like it is selected, else taken away. */
export interface Click {
  readonly x: number;
  readonly y: number;
  readonly add: boolean;
}

export function readLikeness({ h, w, cosines }: WireLikeness): Likeness {
  const bytes = fromBase64(cosines);
  if (bytes.length !== (h * w) ** 2) throw new RangeError(`${h}×${w} cells have ${bytes.length} comparisons`);
  return { rows: h, columns: w, cosines: new Int8Array(bytes.buffer) };
}

const ramp = 0.1; // of cosines, from not selected to selected: a threshold moved a little changes the edge a little

/**
 * Coverage of every cell of a map: how like it is to the nearest click that adds, less how like to the nearest that takes away, against
 * the threshold.
 */
export function alike(likeness: Likeness, clicks: readonly Click[], threshold: number, rows: number, columns: number): Float32Array {
  const { cosines } = likeness;
  const cells = likeness.rows * likeness.columns;
  const scores = new Float32Array(cells).fill(-1);
  const against = new Float32Array(cells);
  for (const { x, y, add } of clicks) {
    const row = cellAt(y, likeness.rows) * likeness.columns + cellAt(x, likeness.columns);
    const into = add ? scores : against;
    for (let i = 0; i < cells; i++) into[i] = Math.max(into[i] ?? 0, (cosines[row * cells + i] ?? 0) / 127);
  }
  const coverage = scores.map((s, i) => Math.min(1, Math.max(0, (s - (against[i] ?? 0) - threshold) / ramp + 0.5)));
  if (likeness.rows === rows && likeness.columns === columns) return coverage;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [y, x] = [(Math.floor(i / columns) + 0.5) / rows, ((i % columns) + 0.5) / columns];
    return coverage[cellAt(y, likeness.rows) * likeness.columns + cellAt(x, likeness.columns)] ?? 0;
  });
}

const cellAt = (share: number, cells: number): number => Math.min(cells - 1, Math.max(0, Math.floor(share * cells)));
