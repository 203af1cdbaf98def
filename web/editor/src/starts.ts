// What the map can begin with besides the model's own: the studio lists it when somebody asks, and gives the map of the one that is taken.

import type { Client } from "./api/client.ts";
import type { StartingPoint, TaskDetail } from "./api/schema.d.ts";
import type { Editor } from "./editor.ts";
import { Emitter } from "./emitter.ts";
import { fromWire } from "./grid.ts";
import { marksFromWire } from "./marks.ts";
import { later, t } from "./words.ts";

export type StartsState =
  | { readonly kind: "loading" }
  | { readonly kind: "listed"; readonly points: readonly StartingPoint[] }
  | { readonly kind: "failed"; readonly why: string };

export class Starts extends Emitter<{ changed: undefined }> {
  state: StartsState = { kind: "loading" };
  private detail: TaskDetail | null = null;

  constructor(private readonly editor: Editor, private readonly client: Client) {
    super();
  }

  open(detail: TaskDetail): void {
    this.detail = detail;
    this.become({ kind: "loading" });
  }

  close(): void {
    this.detail = null;
  }

  /** Asks what there is now: maps are approved, and versions scanned, while somebody paints. */
  async list(): Promise<void> {
    const { detail } = this;
    if (!detail) return;
    let state: StartsState;
    try {
      state = { kind: "listed", points: await this.client.startingPoints(detail.id) };
    } catch (error) {
      state = { kind: "failed", why: error instanceof Error ? error.message : String(error) };
    }
    if (this.detail === detail) this.become(state);
  }

  /** Puts the map of a point in place of the one that is painted, as one step. */
  async take(point: StartingPoint): Promise<void> {
    const { editor, detail } = this;
    const { document } = editor;
    if (!detail) return;
    let taken = point;
    if (point.origin.kind !== "model") {
      try {
        taken = await this.client.startingPoint(detail.id, point.key);
      } catch (error) {
        if (this.detail === detail) editor.emit("notice", t("Not taken: {error}", { error: error instanceof Error ? error.message : String(error) }));
        return;
      }
    }
    if (editor.document !== document || editor.readOnly || editor.comparing) return; // another task, or another map, has been opened meanwhile
    editor.cancel();
    const { map } = taken;
    const values = map ? fromWire(map) : document.model;
    const changed = document.startFrom(stepLabel[taken.origin.kind] ?? later("Another start"), values, taken.origin, marksFromWire(map?.marks, values.length));
    editor.emit("notice", changed ? t("You begin with: {name}. Undo takes it back", { name: taken.name }) : t("The map is that already: {name}", { name: taken.name }));
  }

  private become(state: StartsState): void {
    this.state = state;
    this.emit("changed", undefined);
  }
}

/** What the step is called in the list of strokes. */
const stepLabel: Partial<Record<StartingPoint["origin"]["kind"], string>> = {
  "model": later("From the model's map"), "version": later("From another version"), "mask": later("From the mask"), "clicks": later("From the clicks"), "returned": later("From the returned map"),
  "colleague": later("From somebody else's map"), "class-mean": later("From the class's mean"), "near": later("From a near image's map"),
};
