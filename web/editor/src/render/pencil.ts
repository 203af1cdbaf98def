import { t } from "../words.ts";

/** What draws on a canvas. Every browser that runs this page has one. The settings are those of the canvas's first pencil. */
export function pencil(canvas: HTMLCanvasElement, settings?: CanvasRenderingContext2DSettings): CanvasRenderingContext2D;
export function pencil(canvas: HTMLCanvasElement | OffscreenCanvas): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
export function pencil(canvas: HTMLCanvasElement | OffscreenCanvas, settings?: CanvasRenderingContext2DSettings): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error(t("this browser draws on no canvas"));
  return context;
}
