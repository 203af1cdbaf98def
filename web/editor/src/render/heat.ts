// Turns map values into pixels: one pixel a cell, or bilinear between the cells' centres. For display only; the
// values themselves are interpolated, not their colours, so that every pixel shows a colour of the map.

import { colorTable, differenceShade, shade, type ColorMapName } from "../colormap.ts";

export type HeatStyle =
  | { readonly kind: "map"; readonly colors: ColorMapName; readonly range?: readonly [number, number] } // the values that have the ends of the colours; else 0 and 1
  | { readonly kind: "spotlight" } // black, opaque where the value is 0
  | { readonly kind: "difference"; readonly from: Float32Array }
  | { readonly kind: "hint" }; // values in [-1,1]

const longestSide = 168; // pixels of a smooth rendering; the browser scales it from there, and copies it in every frame of a stroke
const darkest = 0.86; // of the spotlight's shade

/** Pixels per cell side of a smooth rendering. */
export const smoothFactor = (rows: number, columns: number): number =>
  Math.max(1, Math.floor(longestSide / Math.max(rows, columns)));

const palettes = new Map<string, Uint32Array>(); // a stroke asks for the same one in every frame

/** RGBA of shade 0 … 255, as ImageData's bytes read by a little-endian Uint32Array. */
export function palette(style: HeatStyle): Uint32Array {
  const key = style.kind === "map" ? style.colors : style.kind;
  let colors = palettes.get(key);
  if (!colors) palettes.set(key, colors = paletteOf(style));
  return colors;
}

function paletteOf(style: HeatStyle): Uint32Array {
  if (style.kind === "spotlight") {
    return Uint32Array.from({ length: 256 }, (_, i) => (Math.round((255 - i) * darkest) << 24) >>> 0);
  }
  const table = colorTable(style.kind === "map" ? style.colors : "difference");
  // Where nothing changed the picture shows through, and where nothing would help it is clear.
  const away = (i: number) => Math.abs(i - 127.5);
  const alpha = (i: number) => style.kind === "map" ? 255 : style.kind === "hint" ? Math.round(255 * Math.sqrt((away(i) - 0.5) / 127)) : Math.round(90 + 165 * Math.min(1, away(i) / 64));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = [table[3 * i] ?? 0, table[3 * i + 1] ?? 0, table[3 * i + 2] ?? 0];
    return ((alpha(i) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/** Shades, as floats in [0,255], of every cell. */
export function shades(values: Float32Array, style: HeatStyle): Float32Array {
  if (style.kind === "difference") return values.map((v, i) => differenceShade(v - (style.from[i] ?? 0)));
  if (style.kind === "hint") return values.map(differenceShade);
  const [low, high] = (style.kind === "map" && style.range) || [0, 1];
  return values.map((v) => Math.min(1, Math.max(0, (v - low) / (high - low))) * 255);
}

/** One pixel a cell into `out`. */
export function paintCells(values: Float32Array, style: HeatStyle, out: Uint32Array): void {
  const colors = palette(style);
  const cells = shades(values, style);
  for (let i = 0; i < cells.length; i++) out[i] = colors[shade((cells[i] ?? 0) / 255)] ?? 0;
}

/** From one row and column up to, and without, another: of cells, or of a rendering's pixels. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The pixels that the values of `cells` have a part in: up to the centres of the cells around them where pixels lie between centres. */
export function pixelsOf(cells: Box, rows: number, columns: number, factor: number): Box {
  const reach = Math.ceil(factor / 2) * Number(factor > 1);
  return {
    top: Math.max(0, cells.top * factor - reach),
    left: Math.max(0, cells.left * factor - reach),
    bottom: Math.min(rows * factor, cells.bottom * factor + reach),
    right: Math.min(columns * factor, cells.right * factor + reach),
  };
}

/** factor × factor pixels a cell into `out`, of those in `box`; bilinear between cell centres, edges repeated. */
export function paintSmooth(
  values: Float32Array, rows: number, columns: number, factor: number, style: HeatStyle, out: Uint32Array,
  box: Box = { top: 0, left: 0, bottom: rows * factor, right: columns * factor },
): void {
  const colors = palette(style);
  const cells = shades(values, style);
  const width = columns * factor;
  const [from, to] = [box.left, box.right];
  const left = new Uint32Array(width);
  const right = new Uint32Array(width);
  const share = new Float32Array(width);
  for (let x = from; x < to; x++) {
    const at = (x + 0.5) / factor - 0.5;
    left[x] = Math.max(0, Math.floor(at));
    right[x] = Math.min(columns - 1, Math.floor(at) + 1);
    share[x] = at - Math.floor(at);
  }
  const row = new Float32Array(columns);
  for (let y = box.top; y < box.bottom; y++) {
    const at = (y + 0.5) / factor - 0.5;
    const above = Math.max(0, Math.floor(at)) * columns;
    const below = Math.min(rows - 1, Math.floor(at) + 1) * columns;
    const t = at - Math.floor(at);
    for (let c = 0; c < columns; c++) row[c] = (cells[above + c] ?? 0) * (1 - t) + (cells[below + c] ?? 0) * t;
    for (let x = from; x < to; x++) {
      const a = row[left[x] ?? 0] ?? 0;
      const b = row[right[x] ?? 0] ?? 0;
      out[y * width + x] = colors[(a + (b - a) * (share[x] ?? 0) + 0.5) | 0] ?? 0;
    }
  }
}
