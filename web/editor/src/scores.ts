// Live scores: what the model says with the map as it is now. Requests follow changes by 60 ms; while somebody
// paints on, one goes out every 200 ms as long as fewer than two are under way. More often would be seen by nobody, and
// each takes from the frames of the stroke: asked as fast as they were answered, they cost as much as the paint. The latest
// wins: a reply older than one already shown is dropped, and at the end of a stroke older requests are aborted.

import { Emitter } from "./emitter.ts";
import type { Scores } from "./api/schema.d.ts";

export const debounce = 60; // ms after a change
export const patience = 200; // ms that changes can put a request off, and from one request to the next within a stroke
const most = 2; // requests under way

export type Ask = (values: Float32Array, signal: AbortSignal) => Promise<Scores>;

export class LiveScores extends Emitter<{ scores: Scores; failed: unknown }> {
  latest: Scores | null = null;
  /** Replies shown, for the edit's provenance. */
  shown = 0;
  private sequence = 0;
  private newestShown = 0;
  private readonly flying = new Map<number, AbortController>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waitingSince = 0;
  private ended = false; // the stroke whose map waits
  private sent = -Infinity;
  private values: (() => Float32Array) | null = null;

  constructor(private readonly ask: Ask) {
    super();
  }

  /** The map changed; `values` is read when the request goes out. `final`: a stroke has ended. */
  changed(values: () => Float32Array, final: boolean): void {
    const now = Date.now();
    if (!this.values) this.waitingSince = now;
    this.values = values;
    this.ended = final;
    if (final) {
      for (const controller of this.flying.values()) controller.abort();
      this.flying.clear();
    }
    this.schedule(Math.min(now + debounce, this.waitingSince + patience));
  }

  /** Sends at a time, or when it may be sent after that. */
  private schedule(at: number): void {
    clearTimeout(this.timer);
    const due = this.ended ? at : Math.max(at, this.sent + patience);
    this.timer = setTimeout(() => this.send(), Math.max(0, due - Date.now()));
  }

  /** Forgets everything: another map comes. */
  close(): void {
    clearTimeout(this.timer);
    this.values = null;
    for (const controller of this.flying.values()) controller.abort();
    this.flying.clear();
    this.newestShown = ++this.sequence;
  }

  private send(): void {
    if (!this.values || this.flying.size >= most) return; // sent when one of those under way returns
    const number = ++this.sequence;
    const controller = new AbortController();
    const values = this.values().slice();
    this.values = null;
    this.sent = Date.now();
    this.flying.set(number, controller);
    this.ask(values, controller.signal)
      .then(
        (scores) => {
          if (controller.signal.aborted || number <= this.newestShown) return;
          this.newestShown = number;
          this.latest = scores;
          this.shown++;
          this.emit("scores", scores);
        },
        (error: unknown) => {
          if (!controller.signal.aborted && number > this.newestShown) this.emit("failed", error);
        },
      )
      .finally(() => {
        if (this.flying.get(number) === controller) this.flying.delete(number);
        if (this.values) this.schedule(Date.now());
      });
  }
}
