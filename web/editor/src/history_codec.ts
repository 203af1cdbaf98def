// The undo stack as it is saved with a draft, so that undo survives a reload.
//
// The saved map says what the values are at the stack's position. A done step therefore needs only its values
// before (its values after are met on the way back), and an undone step only its values after: 4 bytes a
// cell. Which cells: a bitmap of h·w bits, or 2 or 4 bytes a cell where that is shorter. In base64:
//
//   14×14, all cells changed:   196·4 + 25   =    809 bytes →  1.1 kB a step, 100 steps  108 kB
//   56×56, a third of the cells: 1045·4 + 392 =  4572 bytes →  6.1 kB a step, 100 steps  610 kB
//   56×56, all cells changed:   3136·4 + 392 = 12936 bytes → 17.3 kB a step, 55 steps fit the budget
//
// The server keeps at most 1 MiB; the budget below leaves the oldest steps out first.

import type { Began, Source, Step, History } from "./history.ts";
import { checksum } from "./grid.ts";

export const historyBudget = 960 << 10;

/** One step on the wire. `d` is base64 of the cells, then of the values. */
interface WireStep {
  readonly l: string; // label
  readonly n: number; // cells
  readonly k: "b" | "s" | "l"; // cells as a bitmap, as uint16, as uint32
  readonly d: string;
  readonly s?: string; // source before and after, where either is the model's: "pm"
  readonly o?: Began; // what it changed of what the map began with
}

export interface WireHistory {
  readonly v: 1;
  readonly sum: string; // checksum of the map at the position
  readonly at: number;
  readonly dropped: number;
  readonly steps: readonly WireStep[];
}

/** A step never changes on the wire while it stays done, or undone. There are hundreds at every stroke's end, and a save knows by their being the same object what the server has. */
const encoded = { done: new WeakMap<Step, WireStep>(), undone: new WeakMap<Step, WireStep>() };

const sources: Record<string, Source> = { p: "painted", m: "model" };

/** The stack for a map of `values`, at most `budget` characters of JSON (about). */
export function encodeHistory(history: History, values: Float32Array, budget = historyBudget): WireHistory {
  const steps = history.steps.map((step, i) => {
    const done = i < history.position;
    const known = done ? encoded.done : encoded.undone;
    let wire = known.get(step);
    if (!wire) known.set(step, (wire = encodeStep(step, done, values.length)));
    return wire;
  });
  const sizes = steps.map(sizeOf);
  let size = 200 + sizes.reduce((sum, s) => sum + s, 0);
  let first = 0;
  while (size > budget && first < history.position) size -= sizes[first++] ?? 0;
  let end = steps.length;
  while (size > budget && end > history.position) size -= sizes[--end] ?? 0;
  return {
    v: 1,
    sum: checksum(values),
    at: history.position - first,
    dropped: history.dropped + first,
    steps: steps.slice(first, end),
  };
}

/**
 * Steps, position and number of dropped steps of a saved stack, for the map it was saved with; null
 * where it is not one, or belongs to another map.
 */
export function decodeHistory(
  wire: unknown, values: Float32Array,
): { steps: Step[]; position: number; dropped: number } | null {
  const saved = wire as Partial<WireHistory> | null | undefined;
  if (saved?.v !== 1 || !Array.isArray(saved.steps) || saved.sum !== checksum(values)) return null;
  const position = saved.at ?? 0;
  const wired = saved.steps as readonly WireStep[];
  const steps = new Array<Step>(wired.length);
  const decode = (i: number, from: Float32Array): Step => {
    const wire = wired[i];
    if (!wire) throw new RangeError(`step ${i} is missing`);
    const done = i < position;
    const step = done ? decodeStep(wire, from) : swap(decodeStep(wire, from));
    (done ? encoded.done : encoded.undone).set(step, wire);
    return step;
  };
  try {
    const back = values.slice();
    for (let i = position - 1; i >= 0; i--) steps[i] = decode(i, back);
    const forth = values.slice();
    for (let i = position; i < steps.length; i++) steps[i] = decode(i, forth);
  } catch {
    return null; // another version's, or damaged: the map is whole, only undo is lost
  }
  return { steps, position, dropped: saved.dropped ?? 0 };
}

const sizeOf = (step: WireStep): number => step.d.length + step.l.length + 48 + (step.o ? 200 : 0);

function encodeStep(step: Step, done: boolean, size: number): WireStep {
  const n = step.cells.length;
  const wide = size > 0x10000 ? 4 : 2;
  const bitmap = Math.ceil(size / 8) <= n * wide;
  const kind = bitmap ? "b" : wide === 2 ? "s" : "l";
  const head = bitmap ? Math.ceil(size / 8) : n * wide;
  const bytes = new Uint8Array(head + 4 * n);
  const view = new DataView(bytes.buffer);
  const values = done ? step.before : step.after;
  step.cells.forEach((cell, i) => {
    if (kind === "b") bytes[cell >> 3] = (bytes[cell >> 3] ?? 0) | (1 << (cell & 7));
    else if (kind === "s") view.setUint16(i * 2, cell, true);
    else view.setUint32(i * 4, cell, true);
    view.setFloat32(head + 4 * i, values[i] ?? 0, true);
  });
  const source = step.sourceBefore.charAt(0) + step.sourceAfter.charAt(0);
  return { l: step.label, n, k: kind, d: toBase64(bytes), ...(source === "pp" ? {} : { s: source }), ...(step.began && { o: step.began }) };
}

/** Reads a step whose other values are in `values`, and leaves there what was read. */
function decodeStep(wire: WireStep, values: Float32Array): Step {
  const bytes = fromBase64(wire.d);
  const view = new DataView(bytes.buffer);
  const cells = new Uint32Array(wire.n);
  const head = bytes.length - 4 * wire.n;
  if (wire.k === "b") {
    let i = 0;
    for (let cell = 0; cell < head * 8; cell++) if ((bytes[cell >> 3] ?? 0) & (1 << (cell & 7))) cells[i++] = cell;
    if (i !== wire.n) throw new RangeError("bitmap and count disagree");
  } else {
    for (let i = 0; i < wire.n; i++) cells[i] = wire.k === "s" ? view.getUint16(i * 2, true) : view.getUint32(i * 4, true);
  }
  const before = new Float32Array(wire.n);
  const after = new Float32Array(wire.n);
  cells.forEach((cell, i) => {
    if (cell >= values.length) throw new RangeError(`cell ${cell} of ${values.length}`);
    before[i] = view.getFloat32(head + 4 * i, true);
    after[i] = values[cell] ?? 0;
    values[cell] = before[i] ?? 0;
  });
  return {
    label: wire.l, cells, before, after,
    sourceBefore: sources[wire.s?.[0] ?? "p"] ?? "painted",
    sourceAfter: sources[wire.s?.[1] ?? "p"] ?? "painted",
    ...(wire.o && { began: wire.o }),
  };
}

/** A step read forwards has its values the other way round. */
const swap = (step: Step): Step => ({ ...step, before: step.after, after: step.before });

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
