// Replays the strokes of an edit in its pane: what was painted first, and what was painted over it. They are what the editor kept to take them
// back, so that nothing is there for maps that nobody painted, and the first ones may be missing of a map of very many.
import type { Client } from "../editor/src/api/client.ts";
import { stateFromWire } from "../editor/src/grid.ts";
import type { Step } from "../editor/src/history.ts";
import { decodeHistory } from "../editor/src/history_codec.ts";
import { said, t } from "../editor/src/words.ts";
import { drawMap } from "./maps.ts";

const together = 10_000; // ms that all strokes take at most, and each of few
const each = 500;

export class Replay {
  private readonly box: HTMLElement | null;
  private readonly slider: HTMLInputElement | null;
  private readonly words: HTMLElement | null;
  private readonly canvases: HTMLCanvasElement[]; // of the edit, and of its differences
  private steps: readonly Step[] | null = null;
  private state: Float32Array = new Float32Array(); // the map after `at` strokes: values, then marks
  private at = 0;
  private dropped = 0;
  private timer = 0;

  constructor(private readonly root: HTMLElement, private readonly client: Client, private readonly task: number) {
    this.box = root.querySelector("[data-replay]");
    this.slider = root.querySelector("[data-replay-at]");
    this.words = root.querySelector("[data-replay-words]");
    this.canvases = [...root.querySelectorAll<HTMLCanvasElement>("canvas[data-of-edit]")];
    root.querySelector("[data-replay-play]")?.addEventListener("click", () => void this.toggle());
    this.slider?.addEventListener("input", () => {
      this.pause();
      this.goTo(Number(this.slider?.value));
    });
  }

  /** Plays from the first stroke, or stops where it is. Whether the edit has strokes to play. */
  press(): boolean {
    if (!this.box) return false;
    void this.toggle();
    return true;
  }

  /** The page shows another edit. */
  close(): void {
    this.pause();
  }

  private async toggle(): Promise<void> {
    if (this.timer !== 0) {
      this.pause();
      return;
    }
    if (!(await this.load()) || !this.steps) return;
    if (this.at === this.steps.length) this.goTo(0);
    const pace = Math.min(each, together / this.steps.length);
    const tick = () => {
      this.goTo(this.at + 1);
      if (this.at < (this.steps?.length ?? 0)) this.timer = window.setTimeout(tick, pace);
      else this.pause();
    };
    this.timer = window.setTimeout(tick, pace);
    this.box?.setAttribute("data-playing", "");
  }

  private pause(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.box?.removeAttribute("data-playing");
  }

  /** Fetches the strokes, once. Whether there are any. */
  private async load(): Promise<boolean> {
    if (this.steps) return this.steps.length > 0;
    try {
      const { edit } = await this.client.task(this.task);
      if (!edit) return false;
      const state = stateFromWire(edit.map);
      const history = decodeHistory(edit.history, state) ?? decodeHistory(edit.history, state.slice(0, state.length / 2));
      this.state = state;
      this.steps = history?.steps.slice(0, history.position) ?? []; // what was taken back is no part of the map
      this.dropped = history?.dropped ?? 0;
      this.at = this.steps.length;
    } catch {
      this.say(t("The strokes could not be fetched."));
      return false;
    }
    if (this.steps.length === 0) this.say(t("No strokes are kept of this map."));
    if (this.slider) {
      this.slider.max = String(this.steps.length);
      this.slider.hidden = this.steps.length === 0;
    }
    return this.steps.length > 0;
  }

  /** Shows the map after so many strokes. */
  private goTo(at: number): void {
    const { steps } = this;
    if (!steps) return;
    for (; this.at > at; this.at--) this.put(steps[this.at - 1], "before");
    for (; this.at < at; this.at++) this.put(steps[this.at], "after");
    if (this.slider) this.slider.value = String(at);
    const values = this.state.subarray(0, this.state.length / 2);
    for (const canvas of this.canvases) {
      const [rows, columns] = (canvas.dataset["map"] ?? "").split(",");
      canvas.dataset["map"] = `${rows},${columns},f,${base64(values)}`;
      drawMap(canvas);
    }
    this.root.toggleAttribute("data-replaying", at < steps.length); // marks are those of the end
    const last = steps[at - 1];
    this.say(last
      ? t("{n} of {total}: {what}", { n: at + this.dropped, total: steps.length + this.dropped, what: said(last.label) })
      : this.dropped > 0 ? t("After the first {n} strokes, which are not kept", { n: this.dropped }) : t("What painting began with"));
  }

  private put(step: Step | undefined, which: "before" | "after"): void {
    step?.cells.forEach((cell, i) => { this.state[cell] = step[which][i] ?? 0; });
  }

  private say(words: string): void {
    if (this.words) this.words.textContent = words;
  }
}

function base64(values: Float32Array): string {
  let text = "";
  for (const byte of new Uint8Array(values.slice().buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}
