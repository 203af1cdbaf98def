// Another map in place of the one being painted, to look at: the model's own, or what CAM or Grad-CAM says of either
// branch. It is drawn and read off, never edited.

import { wireMap, type Client } from "./api/client.ts";
import { passing } from "./api/problem.ts";
import type { ActivationMap, TaskDetail } from "./api/types.ts";
import type { Editor } from "./editor.ts";
import { Emitter } from "./emitter.ts";
import { checksum, clampValue } from "./grid.ts";

export const shownMaps = ["edited", "model", "cam-attention", "cam-perception", "grad-cam-attention", "grad-cam-perception"] as const;
export type ShownMap = (typeof shownMaps)[number];

export const mapLabels: Readonly<Record<ShownMap, string>> = {
  edited: "Attention map, edited",
  model: "Attention map, the model's own",
  "cam-attention": "CAM, attention branch",
  "cam-perception": "CAM, perception branch",
  "grad-cam-attention": "Grad-CAM, attention branch",
  "grad-cam-perception": "Grad-CAM, perception branch",
};

/** Which class an activation map is asked about: the true one, the model's answer, or a class's index. */
export type ClassChoice = "label" | "answer" | number;

/** A map as it is drawn, on a grid of its own. */
export interface OtherMap {
  readonly id: number; // tells one from the next
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array; // in [0,1]; none where there is nothing to draw
  /** What the method gave: raw values and the largest of them. */
  readonly raw: { readonly values: readonly number[]; readonly max: number } | null;
}

export type ComparisonState =
  | { readonly kind: "off" } // the edited map is shown
  | { readonly kind: "loading" }
  | { readonly kind: "shown" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "offline" };

const kept = 12; // answers kept for going back and forth

export class Comparison extends Emitter<{ changed: void }> {
  map: ShownMap = "edited";
  choice: ClassChoice = "label";
  state: ComparisonState = { kind: "off" };
  private detail: TaskDetail | null = null;
  private asking: AbortController | null = null;
  private answers = new Map<string, ActivationMap>();
  private count = 0;

  constructor(private readonly editor: Editor, private readonly client: Client) {
    super();
    // The perception branch reads the edited map: what it says has changed with it.
    editor.on("settled", () => this.map.endsWith("perception") && this.fetch());
    editor.on("command", (command) => {
      if (command === "next-map") this.step(1);
      else if (command === "previous-map") this.step(-1);
      else if (command === "own-map") this.show("edited");
    });
  }

  /** Another task: back to the map that is painted. */
  open(detail: TaskDetail): void {
    this.detail = detail;
    this.answers.clear();
    this.draw("edited", { kind: "off" }, null);
  }

  /** No task is open any more. */
  close(): void {
    this.detail = null;
    this.draw("edited", { kind: "off" }, null);
  }

  show(map: ShownMap): void {
    if (!this.detail) return;
    if (map === "edited") return this.draw(map, { kind: "off" }, null);
    const { rows, columns, model } = this.editor.document;
    if (map === "model") return this.draw(map, { kind: "shown" }, this.other(rows, columns, model));
    this.map = map;
    this.fetch();
  }

  /** The next of the maps, or with −1 the one before. */
  step(by: number): void {
    const at = shownMaps.indexOf(this.map) + by + shownMaps.length;
    this.show(shownMaps[at % shownMaps.length] ?? "edited");
  }

  choose(choice: ClassChoice): void {
    this.choice = choice;
    if (this.byClass) this.fetch();
    else this.emit("changed", undefined);
  }

  /** Asks again for what could not be reached. */
  retry(): void {
    if (this.state.kind === "offline") this.fetch();
  }

  /** Whether the map shown depends on a class. */
  get byClass(): boolean {
    return this.map !== "edited" && this.map !== "model";
  }

  /** The class asked about. An image without a label has the model's answer. */
  get class(): number {
    const answer = this.detail?.prediction.class ?? 0;
    if (this.choice === "label") return this.detail?.image.label ?? answer;
    return this.choice === "answer" ? answer : this.choice;
  }

  get className(): string {
    return this.detail?.project.classes.find((c) => c.index === this.class)?.name ?? `class ${this.class}`;
  }

  /** "CAM, perception branch, for owl". */
  get title(): string {
    return this.byClass ? `${mapLabels[this.map]}, for ${this.className}` : mapLabels[this.map];
  }

  /** Copies what is shown into the edit, on its grid and divided by its largest value, as one step. */
  useAsStart(): void {
    const { editor } = this;
    const { other } = editor;
    if (!other || this.state.kind !== "shown" || !this.byClass || editor.readOnly) return;
    const { rows, columns } = editor.document;
    const next = resampled(other, rows, columns);
    const label = `Start from ${mapLabels[this.map].split(",")[0]}`;
    this.show("edited");
    editor.document.replace(label, next);
    editor.emit("notice", `${label}: undo takes it back`);
  }

  private fetch(): void {
    const { detail } = this;
    if (!detail) return;
    this.asking?.abort();
    const { document } = this.editor;
    const [, method, branch] = /^(.*)-(attention|perception)$/.exec(this.map)!;
    const given = branch === "perception" ? document.values.slice() : null;
    const key = `${this.map} ${this.class} ${given ? checksum(given) : ""}`;
    const known = this.answers.get(key);
    if (known) return this.arrived(known);
    const asking = (this.asking = new AbortController());
    this.state = { kind: "loading" };
    this.editor.comparing = true;
    this.emit("changed", undefined);
    const query = { method: method!, branch: branch!, class: this.class, ...(given ? { map: wireMap(document.rows, document.columns, given) } : {}) };
    this.client.activationMap(detail.id, query, asking.signal).then(
      (map) => {
        if (asking.signal.aborted) return;
        this.answers.set(key, map);
        if (this.answers.size > kept) this.answers.delete(this.answers.keys().next().value!);
        this.arrived(map);
      },
      (error: unknown) => {
        if (asking.signal.aborted) return;
        const nothing = this.other(1, 1, new Float32Array());
        if (passing(error)) this.draw(this.map, { kind: "offline" }, nothing);
        else this.draw(this.map, { kind: "refused", why: error instanceof Error ? error.message : String(error) }, nothing);
      },
    );
  }

  private arrived(map: ActivationMap): void {
    this.draw(this.map, { kind: "shown" }, this.other(map.h, map.w, normalised(map.values, map.max), map));
  }

  private other(rows: number, columns: number, values: Float32Array, raw: OtherMap["raw"] = null): OtherMap {
    return { id: ++this.count, rows, columns, values, raw };
  }

  private draw(map: ShownMap, state: ComparisonState, other: OtherMap | null): void {
    this.asking?.abort();
    this.map = map;
    this.state = state;
    this.editor.comparing = state.kind !== "off";
    this.editor.other = other;
    this.editor.redraw();
    this.emit("changed", undefined);
  }
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
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [y, x] = [ys[Math.floor(i / columns)]!, xs[i % columns]!];
    const above = value(y.low, x.low) * (1 - x.share) + value(y.low, x.high) * x.share;
    const below = value(y.high, x.low) * (1 - x.share) + value(y.high, x.high) * x.share;
    return clampValue(above * (1 - y.share) + below * y.share);
  });
}
