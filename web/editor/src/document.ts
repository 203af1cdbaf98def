// The map being edited: its values and marks (the truth), the model's own map, the selection and the undo stack.
// Every change goes through begin … commit, so that one stroke is one step.

import type { Origin } from "./api/schema.d.ts";
import { Emitter } from "./emitter.ts";
import { History, stepBetween, type Source } from "./history.ts";
import { sameBits } from "./grid.ts";
import { anyMark } from "./marks.ts";
import { valuedFrom } from "./mode.ts";
import type { Selection } from "./selection.ts";
import { Stroke, type StrokeSettings } from "./stroke.ts";

export interface DocumentEvents {
  /** Some value changed, perhaps in the middle of a stroke. */
  values: undefined;
  /** A step was made, undone or redone. */
  settled: undefined;
  selection: undefined;
}

export class MapDocument extends Emitter<DocumentEvents> {
  /** Values, then marks: what undo goes back and forth in. */
  readonly state: Float32Array;
  readonly values: Float32Array; // the first half of state
  readonly marks: Float32Array; // the other half, levels of marks.ts
  readonly history = new History();
  /** Whether the map is confirmed as the model's own, rather than painted. */
  source: Source = "painted";
  selection: Selection | null = null;
  /** What the map began with. */
  origin: Origin;
  /** How many strokes of each label were made here, for the edit's provenance. */
  readonly tally = new Map<string, number>();
  /** The segmenters whose regions were painted in, by their encoders' hashes, for the same. */
  readonly segmenters = new Set<string>();
  private open: { stroke: Stroke; label: string; before: Float32Array; marks: boolean } | null = null;

  constructor(
    readonly rows: number,
    readonly columns: number,
    /** The model's map, on the same grid; never written. */
    readonly model: Float32Array,
    /** What it begins with: values, or values and marks. */
    state: Float32Array = model,
    /** What it began with where it began with the model's map. */
    readonly modelOrigin: Origin = { kind: "model" },
  ) {
    super();
    this.origin = modelOrigin;
    const cells = rows * columns;
    if ((state.length !== cells && state.length !== 2 * cells) || model.length !== cells) {
      throw new RangeError(`${state.length} and ${model.length} values for ${rows}×${columns} cells`);
    }
    this.state = new Float32Array(2 * cells);
    this.values = this.state.subarray(0, cells);
    this.marks = this.state.subarray(cells);
    this.state.set(state);
  }

  /** Whether the values are the model's to the bit, and no cell has a mark. */
  get isModels(): boolean {
    return sameBits(this.values, this.model) && !this.marked;
  }

  get marked(): boolean {
    return anyMark(this.marks);
  }

  /** What is kept of the document: values alone where there is no mark, and undo leads to none. */
  get kept(): Float32Array {
    const marks = this.marked || this.history.steps.some((step) => (step.cells[step.cells.length - 1] ?? 0) >= this.values.length);
    return marks ? this.state : this.values;
  }

  get stroking(): boolean {
    return this.open !== null;
  }

  /** Opens a stroke; the selection bounds it. */
  begin(label: string, settings: Omit<StrokeSettings, "selection">, parts: number): Stroke {
    this.cancel();
    const selection = this.selection?.coverage ?? null;
    const marks = settings.mode === "mark";
    const stroke = new Stroke(marks ? this.marks : this.values, this.rows, this.columns, { ...settings, selection }, parts);
    this.open = { stroke, label, before: this.state.slice(), marks };
    return stroke;
  }

  /** A cell that is painted carries a value: its mark goes. */
  private unmark(): void {
    if (!this.open || this.open.marks) return;
    const inside = this.selection?.coverage;
    this.open.stroke.coverage.forEach((covered, i) => {
      if (covered * (inside ? (inside[i] ?? 0) : 1) >= valuedFrom) this.marks[i] = 0;
    });
  }

  /** Tells the screen that the open stroke has painted. */
  touched(): void {
    this.unmark();
    this.emit("values", undefined);
  }

  /** Closes the open stroke as one step; a stroke that changed nothing is none. */
  commit(): void {
    if (!this.open) return;
    this.unmark();
    const { stroke, label, before } = this.open;
    this.open = null;
    stroke.close();
    this.record(label, before, "painted", false);
  }

  /** Takes the open stroke back. */
  cancel(): void {
    if (!this.open) return;
    this.open.stroke.close();
    this.state.set(this.open.before);
    this.open = null;
    this.emit("values", undefined);
  }

  /** One step that puts `next` in place of the whole map, and `marks` of its marks where they are given; `again` joins the step before, as a held key does; `origin` is what the map begins with anew. Whether anything changed. */
  replace(label: string, next: Float32Array, source: Source = "painted", again = false, marks: Float32Array | null = null, origin = this.origin): boolean {
    this.commit();
    const before = this.state.slice();
    this.values.set(next);
    if (marks) this.marks.set(marks);
    return this.record(label, before, source, again && this.lastLabel === label, origin);
  }

  /** Puts a whole map in place, of which the person goes on: one step. Whether it differs from what was there. */
  startFrom(label: string, next: Float32Array, origin: Origin, marks: Float32Array = new Float32Array(next.length)): boolean {
    return this.replace(label, next, "painted", false, marks, origin);
  }

  /** Sets one cell; `again` joins the step before, as a held key does. */
  setCell(label: string, cell: number, value: number, again: boolean): void {
    this.commit();
    const before = this.state.slice();
    this.values[cell] = value;
    this.marks[cell] = 0;
    this.record(label, before, "painted", again && this.lastLabel === label);
  }

  undo(): boolean {
    this.commit();
    const step = this.history.undo(this.state);
    if (step) [this.source, this.origin] = [step.sourceBefore, step.began?.before ?? this.origin];
    return this.moved(step !== null);
  }

  redo(): boolean {
    this.commit();
    const step = this.history.redo(this.state);
    if (step) [this.source, this.origin] = [step.sourceAfter, step.began?.after ?? this.origin];
    return this.moved(step !== null);
  }

  /** Undoes or redoes until `position` steps are done. */
  travel(position: number): void {
    while (this.history.position > position && this.undo());
    while (this.history.position < position && this.redo());
  }

  select(selection: Selection | null): void {
    this.selection = selection;
    this.emit("selection", undefined);
  }

  private get lastLabel(): string | undefined {
    return this.history.last?.label;
  }

  private record(label: string, before: Float32Array, source: Source, amend: boolean, origin = this.origin): boolean {
    const began = origin === this.origin ? undefined : { before: this.origin, after: origin };
    const step = stepBetween(label, before, this.state, this.source, source, began);
    this.emit("values", undefined);
    if (!step) return false;
    this.source = source;
    this.origin = origin;
    if (amend) this.history.amend(step);
    else this.history.push(step);
    const segmenter = this.selection?.segmenter;
    if (segmenter) this.segmenters.add(segmenter);
    const kind = segmenter ? `${label} (segment)` : label;
    this.tally.set(kind, (this.tally.get(kind) ?? 0) + (amend ? 0 : 1));
    this.emit("settled", undefined);
    return true;
  }

  private moved(did: boolean): boolean {
    if (did) {
      this.emit("values", undefined);
      this.emit("settled", undefined);
    }
    return did;
  }
}
