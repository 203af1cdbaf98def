// Steadies a hand: the paint follows the pointer as if on a spring, and goes on to it when it rests. Without stabilising every
// sample passes as it is, so that paint is under the pointer at once.

import { screenPoint, type ScreenPoint } from "../geometry.ts";
import type { PointerSample } from "./sample.ts";

const slowest = 150; // ms in which the paint makes 63% of its way to the pointer, at the most stabilising
const frame = 16; // ms between two steps while the pointer rests
const near = 0.25; // CSS pixels: as good as there

export class Stabiliser {
  private last: PointerSample | null = null; // what the pointer did last
  private here: ScreenPoint | null = null; // how far the paint has come
  private stepped = 0;
  private lag = 0; // ms
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `passed` gets every sample with the place that the paint has come to. */
  constructor(private readonly passed: (s: PointerSample) => void) {}

  /** Where the paint is; null where no stroke is under way. */
  get at(): ScreenPoint | null {
    return this.here;
  }

  /** `stabilising` in [0,1]. */
  begin(s: PointerSample, stabilising: number): void {
    this.end();
    this.last = s;
    this.here = s.point;
    this.stepped = s.time;
    this.lag = stabilising * slowest;
  }

  move(s: PointerSample): void {
    this.last = s;
    if (this.lag === 0) {
      this.here = s.point;
      return this.passed(s);
    }
    this.step(s.time);
  }

  end(): void {
    clearTimeout(this.timer);
    this.last = this.here = null;
  }

  private step(now: number): void {
    const { last, here } = this;
    if (!last || !here) return;
    const share = 1 - Math.exp(-Math.max(0, now - this.stepped) / this.lag);
    this.stepped = Math.max(this.stepped, now);
    const [dx, dy] = [last.point.x - here.x, last.point.y - here.y];
    const there = Math.hypot(dx, dy) * (1 - share) < near;
    this.here = there ? last.point : screenPoint(here.x + dx * share, here.y + dy * share);
    if (share > 0) this.passed({ ...last, point: this.here });
    clearTimeout(this.timer);
    if (!there) this.timer = setTimeout(() => this.step(performance.now()), frame);
  }
}
