// A canvas that covers a part of the stage. A browser copies all of a canvas of which anything changed, in every frame: the picture's
// part has a canvas of its own, and a stroke inside it costs nothing of the ground around.

import type { Region } from "../geometry.ts";
import { pencil } from "./pencil.ts";

/** A rectangle of the screen's own pixels, all whole numbers. */
export type Pixels = Region;

/** Of the screen's pixels those that a rectangle in CSS pixels touches. */
export function touched({ x, y, width, height }: Region, ratio: number): Pixels {
  const [left, top] = [Math.floor(x * ratio), Math.floor(y * ratio)];
  return { x: left, y: top, width: Math.ceil((x + width) * ratio) - left, height: Math.ceil((y + height) * ratio) - top };
}

/** What two rectangles have in common; null: nothing. */
export function common(a: Pixels, b: Pixels): Pixels | null {
  const [x, y] = [Math.max(a.x, b.x), Math.max(a.y, b.y)];
  const [width, height] = [Math.min(a.x + a.width, b.x + b.width) - x, Math.min(a.y + a.height, b.y + b.height) - y];
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/** Whether nothing of a is outside b. */
export const within = (a: Pixels, b: Pixels): boolean =>
  a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;

export class Sheet {
  at: Pixels = { x: 0, y: 0, width: 0, height: 0 }; // from the stage's corner

  constructor(readonly canvas: HTMLCanvasElement) {
    pencil(canvas, { alpha: false }); // what lies under it need not be drawn, and it need not be blended with that
  }

  /** Lays it over another rectangle of the stage, which has to be drawn then. ratio: of the screen's pixels to CSS's. */
  place(at: Pixels, ratio: number): void {
    const { canvas } = this;
    if (canvas.width !== at.width) canvas.width = at.width;
    if (canvas.height !== at.height) canvas.height = at.height;
    for (const [name, length] of [["left", at.x], ["top", at.y], ["width", at.width], ["height", at.height]] as const) canvas.style[name] = `${length / ratio}px`;
    this.at = at;
  }
}
