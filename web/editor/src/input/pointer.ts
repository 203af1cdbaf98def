// Turns pointer events into the clean sequences that tools rely on:
//
//   coalesced events → Sanitiser (down, move*, up or cancel, of one pointer) → Smoother → tool
//
// Fingers: the first paints; a second one turns the gesture into pan and zoom, and takes back what the
// first had begun.

import { screenPoint, type ScreenPoint } from "../geometry.ts";

export interface PointerSample {
  readonly id: number;
  readonly type: "mouse" | "pen" | "touch";
  readonly point: ScreenPoint;
  readonly pressure: number; // [0,1]; 1 unless it is a pen
  readonly button: number; // of the event that pressed: 0 left, 1 middle, 2 right, 5 a pen's eraser
  readonly shift: boolean;
  readonly alt: boolean;
}

/** What comes out of the chain. Every down is followed by moves and exactly one up or cancel. */
export interface StrokeSink {
  down(s: PointerSample): void;
  move(s: PointerSample): void;
  up(s: PointerSample): void;
  cancel(): void;
  /** Two fingers moved: their midpoint went from `from` to `to`, their distance grew by `factor`. */
  pinch(from: ScreenPoint, to: ScreenPoint, factor: number): void;
}

const follow = 0.6; // share of the way to the newest point at each sample: removes jitter, lags by under two samples

/**
 * Guarantees the order of a stroke's events. Browsers do not: a pointer can be lost without an up, press twice,
 * move before it is down, or come back under another id.
 */
export class PointerChain {
  private stroke: { id: number; type: PointerSample["type"]; at: ScreenPoint } | null = null;
  private readonly fingers = new Map<number, ScreenPoint>();
  private pinching = false;

  constructor(private readonly sink: StrokeSink) {}

  get stroking(): boolean {
    return this.stroke !== null;
  }

  down(s: PointerSample): void {
    if (s.type === "touch") {
      this.fingers.set(s.id, s.point);
      if (this.fingers.size === 2) {
        this.cancelStroke();
        this.pinching = true;
      }
      if (this.pinching) return;
    }
    if (this.stroke) {
      if (this.stroke.id !== s.id) return; // one stroke at a time
      this.cancelStroke();
    }
    this.stroke = { id: s.id, type: s.type, at: s.point };
    this.sink.down(s);
  }

  move(s: PointerSample): void {
    if (this.pinching && this.fingers.has(s.id)) return this.pinch(s);
    const stroke = this.stroke;
    if (!stroke || stroke.id !== s.id) return;
    stroke.at = screenPoint(
      stroke.at.x + (s.point.x - stroke.at.x) * follow,
      stroke.at.y + (s.point.y - stroke.at.y) * follow,
    );
    this.sink.move({ ...s, point: stroke.at });
  }

  up(s: PointerSample): void {
    this.release(s.id);
    if (this.stroke?.id !== s.id) return;
    this.stroke = null;
    this.sink.up(s);
  }

  /** The browser took the pointer away. */
  lost(id: number): void {
    this.release(id);
    if (this.stroke?.id === id) this.cancelStroke();
  }

  /** Gives up whatever is under way: Escape, or the window lost its focus. */
  cancel(): void {
    this.fingers.clear();
    this.pinching = false;
    this.cancelStroke();
  }

  private release(id: number): void {
    this.fingers.delete(id);
    if (this.fingers.size === 0) this.pinching = false;
  }

  private cancelStroke(): void {
    if (!this.stroke) return;
    this.stroke = null;
    this.sink.cancel();
  }

  private pinch(s: PointerSample): void {
    const before = [...this.fingers.values()];
    this.fingers.set(s.id, s.point);
    const after = [...this.fingers.values()];
    const [a, b] = before;
    const [c, d] = after;
    if (!a || !b || !c || !d) return; // one of the two has been lifted
    const distance = (p: ScreenPoint, q: ScreenPoint) => Math.max(1, Math.hypot(p.x - q.x, p.y - q.y));
    const middle = (p: ScreenPoint, q: ScreenPoint) => screenPoint((p.x + q.x) / 2, (p.y + q.y) / 2);
    this.sink.pinch(middle(a, b), middle(c, d), distance(c, d) / distance(a, b));
  }
}
