// Undo and redo. A step keeps only the cells it changed, with their values before and after.
//
// Memory: a step on n changed cells takes 12n bytes (4 for the index, 4 + 4 for the values). On 14×14 the
// worst step (every cell) is 2.4 kB, on 56×56 37.6 kB. The limits below therefore keep 500 steps of any
// size up to a grid of about 100×100, and on 512×512 (3.1 MB for a step on all cells) at least twenty of those.

import type { Origin } from "./api/schema.d.ts";

export const maxSteps = 500;
export const maxBytes = 64 << 20;

/** How a map came to be, as the API spells it. */
export type Source = "painted" | "model";

/** What a step changed of what the map began with. */
export interface Began {
  readonly before: Origin;
  readonly after: Origin;
}

export interface Step {
  readonly label: string; // as the list of strokes shows it: "Brush", "Clear"
  readonly cells: Uint32Array; // indices, rising
  readonly before: Float32Array;
  readonly after: Float32Array;
  readonly sourceBefore: Source;
  readonly sourceAfter: Source;
  readonly began?: Began;
}

/** The step from one map to another; null where nothing changed. */
export function stepBetween(
  label: string, before: Float32Array, after: Float32Array, sourceBefore: Source, sourceAfter: Source, began?: Began,
): Step | null {
  const changed: number[] = [];
  for (let i = 0; i < after.length; i++) if (!Object.is(before[i], after[i])) changed.push(i);
  if (changed.length === 0 && sourceBefore === sourceAfter) return null;
  return {
    label,
    cells: Uint32Array.from(changed),
    before: Float32Array.from(changed, (i) => before[i] ?? 0),
    after: Float32Array.from(changed, (i) => after[i] ?? 0),
    sourceBefore,
    sourceAfter,
    ...(began && { began }),
  };
}

const bytesOf = (step: Step): number => 12 * step.cells.length + 64;

export class History {
  private list: Step[] = [];
  private at = 0; // steps[0..at) are done, the rest can be redone
  private bytes = 0;
  /** Steps that fell off the old end: the list no longer starts at the map as it was opened. */
  dropped = 0;

  get steps(): readonly Step[] {
    return this.list;
  }

  get position(): number {
    return this.at;
  }

  /** The step that was done last; null at the beginning. */
  get last(): Step | null {
    return this.list[this.at - 1] ?? null;
  }

  /** What the map began with, as far as the steps say. */
  get origin(): Origin | undefined {
    return this.list.slice(0, this.at).findLast((step) => step.began)?.began?.after ?? this.list.slice(this.at).find((step) => step.began)?.began?.before;
  }

  get canUndo(): boolean {
    return this.at > 0;
  }

  get canRedo(): boolean {
    return this.at < this.list.length;
  }

  push(step: Step): void {
    for (const gone of this.list.splice(this.at)) this.bytes -= bytesOf(gone);
    this.list.push(step);
    this.bytes += bytesOf(step);
    this.at = this.list.length;
    while (this.list.length > maxSteps || (this.bytes > maxBytes && this.list.length > 1)) {
      for (const gone of this.list.splice(0, 1)) this.bytes -= bytesOf(gone);
      this.at--;
      this.dropped++;
    }
  }

  /** Replaces the last step by one that also covers it: repeated presses of one key are one step. */
  amend(step: Step): void {
    const last = this.list[this.at - 1];
    if (!last || this.canRedo) return this.push(step);
    const before = new Map<number, number>();
    step.cells.forEach((cell, i) => before.set(cell, step.before[i] ?? 0));
    last.cells.forEach((cell, i) => before.set(cell, last.before[i] ?? 0));
    const after = new Map<number, number>();
    last.cells.forEach((cell, i) => after.set(cell, last.after[i] ?? 0));
    step.cells.forEach((cell, i) => after.set(cell, step.after[i] ?? 0));
    const cells = [...before.keys()].sort((a, b) => a - b);
    this.at--;
    const began = last.began && step.began ? { before: last.began.before, after: step.began.after } : (step.began ?? last.began);
    this.push({
      label: last.label,
      cells: Uint32Array.from(cells),
      before: Float32Array.from(cells, (c) => before.get(c) ?? 0),
      after: Float32Array.from(cells, (c) => after.get(c) ?? 0),
      sourceBefore: last.sourceBefore,
      sourceAfter: step.sourceAfter,
      ...(began && { began }),
    });
  }

  /** Takes the last step back on `values`; null when there is none. */
  undo(values: Float32Array): Step | null {
    const step = this.list[this.at - 1];
    if (!step) return null;
    this.at--;
    step.cells.forEach((cell, i) => (values[cell] = step.before[i] ?? 0));
    return step;
  }

  /** Does the next step again on `values`; null when there is none. */
  redo(values: Float32Array): Step | null {
    const step = this.list[this.at];
    if (!step) return null;
    this.at++;
    step.cells.forEach((cell, i) => (values[cell] = step.after[i] ?? 0));
    return step;
  }

  /** Puts back what a codec read. */
  restore(steps: readonly Step[], position: number, dropped: number): void {
    this.list = [...steps];
    this.at = Math.min(Math.max(0, position), this.list.length);
    this.bytes = this.list.reduce((sum, step) => sum + bytesOf(step), 0);
    this.dropped = dropped;
  }
}
