// A canvas as far as the pages use it: what was last put on it, pixel by pixel.

import { vi } from "vitest";

export const drawn = new WeakMap<HTMLCanvasElement, ImageData>();

/** Gives the DOM's canvases a context, which they lack without a browser. */
export function giveContexts(): void {
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    return {
      createImageData: (width: number, height: number) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) }),
      putImageData: (image: ImageData) => drawn.set(this, image),
    } as unknown as null;
  });
}

/** The colour of one pixel, "r,g,b". */
export function pixel(canvas: HTMLCanvasElement, at: number): string | undefined {
  return drawn.get(canvas)?.data.slice(4 * at, 4 * at + 3).join(",");
}

/** A map as the pages carry it: "h,w,BASE64", or with "f" float32 values. */
export function mapText(rows: number, columns: number, values: readonly number[], float = false): string {
  const bytes = float ? new Uint8Array(Float32Array.from(values).buffer) : Uint8Array.from(values, (v) => Math.round(255 * v));
  return [rows, columns, ...(float ? ["f"] : []), btoa(String.fromCharCode(...bytes))].join(",");
}
