// What the editor reads of a pointer event.

import type { ScreenPoint } from "../geometry.ts";

export interface PointerSample {
  readonly id: number;
  readonly type: "mouse" | "pen" | "touch";
  readonly point: ScreenPoint;
  readonly pressure: number; // [0,1]; 1 unless it is a pen
  readonly button: number; // of the event that pressed: 0 left, 1 middle, 2 right, 5 a pen's eraser
  readonly shift: boolean;
  readonly alt: boolean;
  readonly time: number; // ms, of the clock that performance.now() reads
  readonly contact: number; // the longer side of what touches the screen, in CSS pixels; 0 where nothing does
}
