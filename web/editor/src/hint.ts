// What would help: where more attention, or less, would raise the score of the true class, by the derivative at the map as it is now. A hint
// that is drawn in place of the map while somebody paints, off until it is asked for, and off again with the next picture. It tells the
// network's opinion of the map: where the project does not tell that live, there is none.

import type { Client } from "./api/client.ts";
import { passing, Problem } from "./api/problem.ts";
import type { ActivationMap, Project, TaskDetail } from "./api/schema.d.ts";
import type { Editor } from "./editor.ts";
import { Emitter } from "./emitter.ts";
import { checksum, wireMap } from "./grid.ts";
import type { HintMap } from "./other_map.ts";
import { t } from "./words.ts";

export type HintState =
  | { readonly kind: "off" }
  | { readonly kind: "asking" } // and nothing is shown yet
  | { readonly kind: "shown"; readonly stale: boolean } // stale: it is of the map before the last stroke
  | { readonly kind: "refused"; readonly why: string } // there is none of this network or this image
  | { readonly kind: "waiting"; readonly why: string }; // it may come when it is asked for again

const rest = 150; // ms that the map stays as it is before the network is asked anew
const kept = 24; // answers, so that undo has them at once

/** Why there is no hint in a project. */
const untold: Readonly<Record<Project["feedback"], string>> = {
  live: "",
  submitted: t("No hint: this project tells what the network says once the map is submitted"),
  off: t("No hint: this project does not show what the network says to your map"),
};

export class Hint extends Emitter<{ changed: undefined; shown: undefined }> {
  state: HintState = { kind: "off" };
  /** How often one was shown while the task's map was made, on earlier pages too. */
  times = 0;
  private detail: TaskDetail | null = null;
  private asking: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private answers = new Map<string, ActivationMap>();
  private of = ""; // the checksum of the map that the one shown is of
  private count = 0;

  constructor(private readonly editor: Editor, private readonly client: Client) {
    super();
    editor.on("values", () => this.compare());
    editor.on("settled", () => this.follow());
    editor.on("command", (command) => command === "hint" && this.toggle());
  }

  /** Another task; `times` one was shown for it before. */
  open(detail: TaskDetail, times: number): void {
    this.close();
    this.answers.clear();
    this.detail = detail;
    this.times = times;
  }

  close(): void {
    this.stop();
    this.detail = null;
    this.become({ kind: "off" }, null);
  }

  get wanted(): boolean {
    return this.state.kind !== "off";
  }

  /** Why the project, or the image, has none; "" where there may be one. */
  get missing(): string {
    const { detail } = this;
    if (!detail) return "";
    return untold[detail.project.feedback] || (detail.image.label === undefined ? t("No hint: this image has no true class that could be helped") : "");
  }

  get className(): string {
    return this.detail?.label_name ?? "";
  }

  toggle(): void {
    if (this.wanted || !this.detail) return this.leave();
    if (this.missing) return this.editor.emit("notice", this.missing);
    this.editor.showDifference = false;
    this.fetch();
  }

  leave(): void {
    this.stop();
    this.become({ kind: "off" }, null);
  }

  /** Asks again for what could not be had. */
  retry(): void {
    if (this.state.kind === "waiting") this.fetch();
  }

  /** What it says of a cell, in words; undefined while none is shown. */
  words(cell: number, number: (v: number) => string): string | undefined {
    const at = this.editor.hint?.raw[cell];
    if (at === undefined) return undefined;
    return at > 0 ? t("more helps ({value})", { value: number(at) }) : at < 0 ? t("less helps ({value})", { value: number(at) }) : t("changes nothing");
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = null;
  }

  /** A value changed, perhaps in the middle of a stroke: what is shown is of the map before. */
  private compare(): void {
    if (this.state.kind !== "shown") return;
    const { document } = this.editor;
    const stale = document.stroking || checksum(document.state) !== this.of;
    if (stale === this.state.stale) return;
    this.state = { kind: "shown", stale };
    this.emit("changed", undefined);
  }

  /** A step was made, undone or redone. */
  private follow(): void {
    if (!this.wanted || this.state.kind === "refused") return;
    this.compare();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), rest);
  }

  private fetch(): void {
    const { detail, editor: { document } } = this;
    if (!detail) return;
    if (document.stroking) { // it may end with a step, or be given up
      if (!this.wanted) this.become({ kind: "asking" }, null);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.fetch(), rest);
      return;
    }
    this.stop();
    const state = document.state.slice();
    const of = checksum(state);
    if (this.state.kind === "shown" && of === this.of) return this.compare();
    const known = this.answers.get(of);
    if (known) return this.arrived(known, of);
    const asking = (this.asking = new AbortController());
    if (this.state.kind !== "shown") this.become({ kind: "asking" }, null);
    this.client.activationMap(detail.id, { method: "help", branch: "perception", map: wireMap(document.rows, document.columns, state) }, asking.signal).then(
      (map) => {
        if (asking.signal.aborted) return;
        this.answers.set(of, map);
        for (const oldest of this.answers.keys()) if (this.answers.size > kept) this.answers.delete(oldest);
        this.arrived(map, of);
      },
      (error: unknown) => {
        if (asking.signal.aborted) return;
        if (!passing(error)) this.become({ kind: "refused", why: error instanceof Error ? error.message : String(error) }, null);
        else this.become({ kind: "waiting", why: error instanceof Problem ? error.message : t("The studio can't be reached") }, null);
      },
    );
  }

  private arrived({ values, min, max }: ActivationMap, of: string): void {
    const most = Math.max(-min, max);
    this.of = of;
    this.times++;
    this.become({ kind: "shown", stale: false }, { id: ++this.count, values: Float32Array.from(values, (v) => (most > 0 ? v / most : 0)), raw: values });
    this.compare();
    this.emit("shown", undefined);
  }

  private become(state: HintState, map: HintMap | null): void {
    this.state = state;
    this.editor.hint = map;
    this.editor.redraw();
    this.emit("changed", undefined);
  }
}
