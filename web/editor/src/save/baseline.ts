// What the server is known to have of a map: a save sends what differs from it. Without that knowledge, as after a save whose answer
// was lost, it sends the whole.

import type { DraftBody, Edit } from "../api/schema.d.ts";
import type { MapDocument } from "../document.ts";
import { sameBits, shortest, stateFromWire, wireMap } from "../grid.ts";
import { encodeHistory, type WireHistory } from "../history_codec.ts";
import { marksToWire } from "../marks.ts";

interface Known {
  readonly revision: number; // 0: the model's own map
  readonly state: Float32Array; // values and marks
  readonly history: WireHistory | null;
}

type Body = Pick<DraftBody, "map" | "changes" | "history" | "kept_steps">;

/** The undo stack of a whole save while the page goes away: a request that outlives it may send 64 KiB in all. */
const lastBudget = 24 << 10;

export class Baseline {
  private known: Known | null;

  constructor(document: MapDocument, edit: Edit | undefined) {
    if (edit) this.known = { revision: edit.revision, state: stateFromWire(edit.map), history: historyOf(edit) };
    else {
      const state = new Float32Array(document.state.length);
      state.set(document.model);
      this.known = { revision: 0, state, history: null };
    }
  }

  /** Values and marks of the revision that is known; null: none is. */
  get state(): Float32Array | null {
    return this.known?.state ?? null;
  }

  /** The next save sends the whole. */
  forget(): void {
    this.known = null;
  }

  /** What to send of a document to make a revision after `base`; `saved` takes the answer, and says whether the server has the same map. */
  draft(document: MapDocument, base: number, last: boolean): { body: Body; saved: (edit: Edit) => boolean } {
    const known = this.known?.revision === base ? this.known : null;
    const state = document.state.slice();
    const history = encodeHistory(document.history, document.kept, last && !known ? lastBudget : undefined);
    const saved = (edit: Edit): boolean => {
      const same = sameBits(stateFromWire(edit.map), state);
      this.known = same ? { revision: edit.revision, state, history } : null;
      return same;
    };
    if (!known) return { body: { map: wireMap(document.rows, document.columns, state), history }, saved };
    return { body: { changes: changesOf(known.state, state), ...stepsAfter(known.history, history) }, saved };
  }
}

function historyOf(edit: Edit): WireHistory | null {
  const history = edit.history as WireHistory | undefined;
  return Array.isArray(history?.steps) ? history : null;
}

function changesOf(from: Float32Array, to: Float32Array): NonNullable<Body["changes"]> {
  const count = to.length / 2;
  const cells: number[] = [];
  for (let i = 0; i < count; i++) if (!Object.is(from[i], to[i])) cells.push(i);
  const marks = sameBits(from.subarray(count), to.subarray(count)) ? {} : { marks: marksToWire(to.subarray(count)) ?? "" };
  return { cells, values: cells.map((i) => shortest(to[i] ?? 0)), ...marks };
}

/** The stack with only the steps that the server does not have. */
function stepsAfter(known: WireHistory | null, now: WireHistory): Pick<Body, "history" | "kept_steps"> {
  const first = now.steps[0];
  const from = first && known ? known.steps.indexOf(first) : -1;
  if (!known || from < 0) return { history: now };
  let count = 0;
  while (count < now.steps.length && now.steps[count] === known.steps[from + count]) count++;
  return { history: { ...now, steps: now.steps.slice(count) }, kept_steps: { from, count } };
}
