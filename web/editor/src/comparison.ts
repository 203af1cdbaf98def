// Another map that is shown in place of the one being painted: the model's own, or one by CAM or Grad-CAM of either
// branch. Its values can be read, but it is never edited.

import type { Client } from "./api/client.ts";
import { passing } from "./api/problem.ts";
import type { ActivationMap, MapRequestBody, TaskDetail } from "./api/schema.d.ts";
import type { Editor } from "./editor.ts";
import { Emitter } from "./emitter.ts";
import { checksum, wireMap } from "./grid.ts";
import { normalised, resampled, type OtherMap } from "./other_map.ts";
import { t } from "./words.ts";

type Method = Exclude<MapRequestBody["method"], "help">; // which is a hint: nobody begins with it (hint.ts)
type Branch = MapRequestBody["branch"];
export type ShownMap = "edited" | "model" | `${Method}-${Branch}`;

interface ShownMapEntry {
  readonly label: string;
  readonly short: string; // in the list to choose from
  /** Of a map that the server computes for a class: by which method, and of which branch. */
  readonly computed?: { readonly method: Method; readonly methodName: string; readonly branch: Branch };
  /** What to look at where the network does not allow this one. */
  readonly instead?: ShownMap;
}

/** Every map there is to look at, in the order in which A walks through them. */
export const shownMaps: Readonly<Record<ShownMap, ShownMapEntry>> = {
  edited: { label: t("Attention map, edited"), short: t("Attention map, edited") },
  model: { label: t("Attention map, the model's own"), short: t("Attention map, the model's own") },
  "cam-attention": {
    label: t("CAM, attention branch"), short: t("CAM, attention"),
    computed: { method: "cam", methodName: "CAM", branch: "attention" }, instead: "grad-cam-attention",
  },
  "cam-perception": {
    label: t("CAM, perception branch"), short: t("CAM, perception"),
    computed: { method: "cam", methodName: "CAM", branch: "perception" }, instead: "grad-cam-perception",
  },
  "grad-cam-attention": {
    label: t("Grad-CAM, attention branch"), short: t("Grad-CAM, attention"),
    computed: { method: "grad-cam", methodName: "Grad-CAM", branch: "attention" },
  },
  "grad-cam-perception": {
    label: t("Grad-CAM, perception branch"), short: t("Grad-CAM, perception"),
    computed: { method: "grad-cam", methodName: "Grad-CAM", branch: "perception" },
  },
};
export const shownMapNames = Object.keys(shownMaps) as ShownMap[];

/** Which class an activation map is asked about: the true one, the model's answer, or a class's index. */
export type ClassChoice = "label" | "answer" | number;

export type ComparisonState =
  | { readonly kind: "off" } // the edited map is shown
  | { readonly kind: "loading" }
  | { readonly kind: "shown" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "offline" };

const kept = 12; // answers that are cached, to switch between methods

export class Comparison extends Emitter<{ changed: undefined }> {
  map: ShownMap = "edited";
  choice: ClassChoice = "label";
  state: ComparisonState = { kind: "off" };
  private detail: TaskDetail | null = null;
  private asking: AbortController | null = null;
  private answers = new Map<string, ActivationMap>();
  private count = 0;

  constructor(private readonly editor: Editor, private readonly client: Client) {
    super();
    // The perception branch reads the edited map, so its activation map has changed too.
    editor.on("settled", () => this.entry.computed?.branch === "perception" && this.fetch());
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
    const at = shownMapNames.indexOf(this.map) + by + shownMapNames.length;
    this.show(shownMapNames[at % shownMapNames.length] ?? "edited");
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

  /** What the table has of the map shown. */
  get entry(): ShownMapEntry {
    return shownMaps[this.map];
  }

  /** Whether the map shown depends on a class. */
  get byClass(): boolean {
    return this.entry.computed !== undefined;
  }

  /** The class asked about. An image without a label has the model's answer. */
  get class(): number {
    const answer = this.detail?.prediction.class ?? 0;
    if (this.choice === "label") return this.detail?.image.label ?? answer;
    return this.choice === "answer" ? answer : this.choice;
  }

  get className(): string {
    return this.detail?.project.classes.find((c) => c.index === this.class)?.name ?? t("class {class}", { class: this.class });
  }

  /** "CAM, perception branch, for owl". */
  get title(): string {
    return this.byClass ? t("{map}, for {class}", { map: this.entry.label, class: this.className }) : this.entry.label;
  }

  /** Copies what is shown into the edit, on its grid and divided by its largest value, as one step. */
  useAsStart(): void {
    const { editor } = this;
    const { other } = editor;
    const { computed } = this.entry;
    if (!other || this.state.kind !== "shown" || !computed || editor.readOnly) return;
    const { rows, columns } = editor.document;
    const next = resampled(other, rows, columns);
    const label = t("Start from {method}", { method: computed.methodName });
    const asked = this.detail?.project.classes.find((c) => c.index === this.class)?.key;
    this.show("edited");
    editor.document.startFrom(label, next, { kind: computed.method, branch: computed.branch, ...(asked !== undefined && { class: asked }) });
    editor.emit("notice", t("{label}: undo takes it back", { label }));
  }

  private fetch(): void {
    const { detail } = this;
    const { computed } = this.entry;
    if (!detail || !computed) return;
    this.asking?.abort();
    const { document } = this.editor;
    const { method, branch } = computed;
    const tells = detail.project.feedback === "live"; // a CAM of the edited map tells the answer to it; elsewhere the model's own stands in its place
    const given = tells && branch === "perception" ? document.state.slice() : null;
    const key = `${this.map} ${this.class} ${given ? checksum(given) : ""}`;
    const known = this.answers.get(key);
    if (known) return this.arrived(known);
    const asking = (this.asking = new AbortController());
    this.state = { kind: "loading" };
    this.editor.comparing = true;
    this.emit("changed", undefined);
    const query: MapRequestBody = { method, branch, class: this.class, ...(given ? { map: wireMap(document.rows, document.columns, given) } : {}) };
    this.client.activationMap(detail.id, query, asking.signal).then(
      (map) => {
        if (asking.signal.aborted) return;
        this.answers.set(key, map);
        for (const oldest of this.answers.keys()) if (this.answers.size > kept) this.answers.delete(oldest);
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
