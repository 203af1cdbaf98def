// Converts the values of an attention map between JSON and the Float32Array that the editor works on.
//
// A float32 is written as its shortest decimal, so that a map that was opened and saved is the same
// to the byte: the server prints float32 the same way, and parsing gives the same bits back.

import { marksFromWire, marksToWire } from "./marks.ts";
import type { Map as WireMap } from "./api/schema.d.ts";

export type { WireMap };

const smallestNormal = 2 ** -126;

/**
 * The double whose shortest decimal is also the shortest decimal of the float32 `v`. Six significant
 * digits always survive decimal → float32 → decimal and nine always identify a float32, so the
 * search is over four candidates and stops at the first that reads back as v. (Subnormals have fewer
 * digits, and are searched from one.)
 */
export function shortest(v: number): number {
  for (let digits = v < smallestNormal ? 1 : 6; digits < 9; digits++) {
    const decimal = Number(v.toPrecision(digits));
    if (Math.fround(decimal) === v) return decimal;
  }
  return Number(v.toPrecision(9));
}

/** Values ready for JSON.stringify. */
export function toWire(values: Float32Array): number[] {
  const out = new Array<number>(values.length);
  for (let i = 0; i < values.length; i++) out[i] = shortest(values[i] ?? 0);
  return out;
}

/** Values read from JSON. Throws where the grid and its values disagree. */
export function fromWire(map: WireMap): Float32Array {
  if (map.values.length !== map.h * map.w) {
    throw new RangeError(`map of ${map.h}×${map.w} cells has ${map.values.length} values`);
  }
  return Float32Array.from(map.values);
}

/** Values and marks read from JSON, as MapDocument begins with them. */
export function stateFromWire(map: WireMap): Float32Array {
  const values = fromWire(map);
  const state = new Float32Array(2 * values.length);
  state.set(values);
  state.set(marksFromWire(map.marks, values.length), values.length);
  return state;
}

/** A map in JSON, of values or of values and marks. */
export function wireMap(rows: number, columns: number, state: Float32Array): WireMap {
  const cells = rows * columns;
  const marks = marksToWire(state.subarray(cells));
  return { h: rows, w: columns, values: toWire(state.subarray(0, cells)), ...(marks !== undefined && { marks }) };
}

/** Whether two maps are the same to the bit. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** FNV-1a over the bytes of a map: tells apart two maps, or says that they are very likely one. */
export function checksum(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** The nearest value a map may hold: a float32 in [0, 1]. */
export const clampValue = (v: number): number => (v <= 0 ? 0 : v >= 1 ? 1 : Math.fround(v));
