// The map being edited: its values (the truth), the model's own map, the selection and the undo stack.
// Every change goes through begin … commit, so that one stroke is one step.

import { Emitter } from "./emitter.ts";
import { History, stepBetween, type Source } from "./history.ts";
import { sameBits } from "./grid.ts";
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
  readonly values: Float32Array;
  readonly history = new History();
  /** Whether the map is confirmed as the model's own, rather than painted. */
  source: Source = "painted";
  selection: Selection | null = null;
  /** How many strokes of each label were made here, for the edit's provenance. */
  readonly tally = new Map<string, number>();
  private open: { stroke: Stroke; label: string } | null = null;

  constructor(
    readonly rows: number,
    readonly columns: number,
    /** The model's map, on the same grid; never written. */
    readonly model: Float32Array,
    values: Float32Array = model,
  ) {
    super();
    if (values.length !== rows * columns || model.length !== rows * columns) {
      throw new RangeError(`${values.length} and ${model.length} values for ${rows}×${columns} cells`);
    }
    this.values = values.slice();
  }

  /** Whether the values are the model's to the bit. */
  get isModels(): boolean {
    return sameBits(this.values, this.model);
  }

  get stroking(): boolean {
    return this.open !== null;
  }

  /** Opens a stroke; the selection bounds it. */
  begin(label: string, settings: Omit<StrokeSettings, "selection">, parts: number): Stroke {
    this.cancel();
    const selection = this.selection?.coverage ?? null;
    const stroke = new Stroke(this.values, this.rows, this.columns, { ...settings, selection }, parts);
    this.open = { stroke, label };
    return stroke;
  }

  /** Tells the screen that the open stroke has painted. */
  touched(): void {
    this.emit("values", undefined);
  }

  /** Closes the open stroke as one step; a stroke that changed nothing is none. */
  commit(): void {
    if (!this.open) return;
    const { stroke, label } = this.open;
    this.open = null;
    stroke.close();
    this.record(label, stroke.before, "painted", false);
  }

  /** Takes the open stroke back. */
  cancel(): void {
    if (!this.open) return;
    this.open.stroke.cancel();
    this.open = null;
    this.emit("values", undefined);
  }

  /** One step that puts `next` in place of the whole map; `again` joins the step before, as a held key does. */
  replace(label: string, next: Float32Array, source: Source = "painted", again = false): void {
    this.commit();
    const before = this.values.slice();
    this.values.set(next);
    this.record(label, before, source, again && this.lastLabel === label);
  }

  /** Sets one cell; `again` joins the step before, as a held key does. */
  setCell(label: string, cell: number, value: number, again: boolean): void {
    this.commit();
    const before = this.values.slice();
    this.values[cell] = value;
    this.record(label, before, "painted", again && this.lastLabel === label);
  }

  undo(): boolean {
    this.commit();
    const step = this.history.undo(this.values);
    if (step) this.source = step.sourceBefore;
    return this.moved(step !== null);
  }

  redo(): boolean {
    this.commit();
    const step = this.history.redo(this.values);
    if (step) this.source = step.sourceAfter;
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
    return this.history.steps[this.history.position - 1]?.label;
  }

  private record(label: string, before: Float32Array, source: Source, amend: boolean): void {
    const step = stepBetween(label, before, this.values, this.source, source);
    this.emit("values", undefined);
    if (!step) return;
    this.source = source;
    if (amend) this.history.amend(step);
    else this.history.push(step);
    this.tally.set(label, (this.tally.get(label) ?? 0) + (amend ? 0 : 1));
    this.emit("settled", undefined);
  }

  private moved(did: boolean): boolean {
    if (did) {
      this.emit("values", undefined);
      this.emit("settled", undefined);
    }
    return did;
  }
}
