// Turns pointer events into the clean sequences that tools rely on:
//
//   coalesced events → PointerChain (down, move*, up or cancel, of one pointer) → Stabiliser → tool
//
// Fingers paint until a pen has been seen; then they move the picture, and a setting says so. Where they paint, the first does, and a
// second one takes back what the first had begun and turns the gesture into pan and zoom. A hand that rests on the screen is no finger:
// contacts larger than a fingertip do nothing, and neither does any contact while a pen is at work or has just been. A pen takes the
// stroke over from whatever touches the screen.

import { screenPoint, type ScreenPoint } from "../geometry.ts";
import type { PointerSample } from "./sample.ts";
import { Stabiliser } from "./stabiliser.ts";

/** What comes out of the chain. Every down is followed by moves and exactly one up or cancel. */
export interface StrokeSink {
  down(s: PointerSample): void;
  move(s: PointerSample): void;
  up(s: PointerSample): void;
  cancel(): void;
  /** Fingers moved: their midpoint went from `from` to `to`, their distance grew by `factor`; 1 for a single one. */
  pinch(from: ScreenPoint, to: ScreenPoint, factor: number): void;
}

/** How the person has set their input up; read as it is needed. */
export interface InputSettings {
  readonly fingersPaint: boolean;
  readonly stabilising: number; // [0,1]
}

/** A fingertip is at most so wide, in CSS pixels: about 15 mm on a desk, 10 on a phone. */
export const fingertip = 60;
/** For so long after a pen's last sign a new contact is taken for the hand that holds it, in ms. */
export const penRest = 500;

/**
 * Guarantees the order of a stroke's events. Browsers do not: a pointer can be lost without an up, press twice,
 * move before it is down, or come back under another id.
 */
export class PointerChain {
  private stroke: { readonly id: number; readonly type: PointerSample["type"] } | null = null;
  private readonly fingers = new Map<number, ScreenPoint>();
  private readonly palms = new Set<number>(); // contacts that do nothing until they are lifted
  private moving = false; // fingers move the picture until all are lifted
  private penAt = -Infinity;
  private readonly stabiliser: Stabiliser;

  constructor(private readonly sink: StrokeSink, private readonly settings: InputSettings) {
    this.stabiliser = new Stabiliser((s) => sink.move(s));
  }

  get stroking(): boolean {
    return this.stroke !== null;
  }

  /** Where the stroke under way paints now. */
  get at(): ScreenPoint | null {
    return this.stroke ? this.stabiliser.at : null;
  }

  down(s: PointerSample): void {
    if (s.type === "touch") {
      if (!this.touched(s)) return;
    } else if (s.type === "pen") {
      this.penAt = s.time;
      if (this.stroke?.type === "touch") this.cancelStroke();
      this.settle();
    }
    if (this.stroke) {
      if (this.stroke.id !== s.id) return; // one stroke at a time
      this.cancelStroke();
    }
    this.stroke = { id: s.id, type: s.type };
    this.stabiliser.begin(s, this.settings.stabilising);
    this.sink.down(s);
  }

  move(s: PointerSample): void {
    if (s.type === "pen") this.penAt = s.time;
    if (s.type === "touch" && s.contact > fingertip) this.palm(s.id); // a hand comes down edge first
    if (this.palms.has(s.id)) return;
    if (this.moving && this.fingers.has(s.id)) return this.pinch(s);
    if (this.stroke?.id !== s.id) return;
    if (s.type === "touch") this.fingers.set(s.id, s.point);
    this.stabiliser.move(s);
  }

  up(s: PointerSample): void {
    if (s.type === "pen") this.penAt = s.time;
    this.release(s.id);
    if (this.stroke?.id !== s.id) return;
    this.stroke = null;
    this.stabiliser.end();
    this.sink.up(s);
  }

  /** The browser took the pointer away. */
  lost(id: number): void {
    this.release(id);
    if (this.stroke?.id === id) this.cancelStroke();
  }

  /** Gives up whatever is under way: Escape, or the window lost its focus. */
  cancel(): void {
    this.settle();
    this.cancelStroke();
  }

  /** A contact came down; whether it begins a stroke. */
  private touched(s: PointerSample): boolean {
    if (s.contact > fingertip || this.stroke?.type === "pen" || s.time - this.penAt < penRest) {
      this.palms.add(s.id);
      return false;
    }
    this.fingers.set(s.id, s.point);
    if (this.settings.fingersPaint && this.fingers.size === 1) return true;
    if (this.stroke?.type === "touch") this.cancelStroke();
    this.moving = true;
    return false;
  }

  /** A finger turns out to be a hand. */
  private palm(id: number): void {
    this.palms.add(id);
    this.fingers.delete(id);
    if (this.fingers.size === 0) this.moving = false;
    if (this.stroke?.id === id) this.cancelStroke();
  }

  /** What touches the screen now does nothing more. */
  private settle(): void {
    for (const id of this.fingers.keys()) this.palms.add(id);
    this.fingers.clear();
    this.moving = false;
  }

  private release(id: number): void {
    this.palms.delete(id);
    this.fingers.delete(id);
    if (this.fingers.size === 0) this.moving = false;
  }

  private cancelStroke(): void {
    if (!this.stroke) return;
    this.stroke = null;
    this.stabiliser.end();
    this.sink.cancel();
  }

  private pinch(s: PointerSample): void {
    const before = [...this.fingers.values()];
    this.fingers.set(s.id, s.point);
    const after = [...this.fingers.values()];
    const [a, b = a] = before;
    const [c, d = c] = after;
    if (!a || !b || !c || !d) return;
    const distance = (p: ScreenPoint, q: ScreenPoint) => Math.max(1, Math.hypot(p.x - q.x, p.y - q.y));
    const middle = (p: ScreenPoint, q: ScreenPoint) => screenPoint((p.x + q.x) / 2, (p.y + q.y) / 2);
    this.sink.pinch(middle(a, b), middle(c, d), distance(c, d) / distance(a, b));
  }
}
