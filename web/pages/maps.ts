// Draws the maps that pages carry in data-map attributes: "h,w,BASE64" with one byte a cell, or
// "h,w,f,BASE64" with float32 values where the page reads figures off them.
import { colorTable, differenceShade, shade } from "../editor/src/colormap.ts";

export interface CellMap {
  rows: number;
  columns: number;
  values: Float32Array; // row by row, in [0,1]
  marks?: string; // of an edit, a letter a cell
}

export function decodeMap(text: string): CellMap | null {
  const parts = text.split(",");
  const body = parts.at(-1);
  if (parts.length < 3 || !body) return null;
  const raw = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  const values = parts[2] === "f" ? new Float32Array(raw.buffer) : Float32Array.from(raw, (v) => v / 255);
  return { rows: Number(parts[0]), columns: Number(parts[1]), values };
}

const stretchKey = "map-stretch";
const stretched = () => localStorage.getItem(stretchKey) === "1" && document.querySelector("[data-map-stretch]") !== null;

/** Draws one canvas: the map in viridis, or with data-base the signed difference to another map. */
export function drawMap(canvas: HTMLCanvasElement): void {
  const map = decodeMap(canvas.dataset["map"] ?? "");
  const context = canvas.getContext("2d");
  if (!map || !context) return;
  const base = decodeMap(canvas.dataset["base"] ?? "");
  const table = colorTable(base ? "difference" : "viridis");
  const image = context.createImageData(map.columns, map.rows);
  const low = stretched() ? Math.min(...map.values) : 0;
  const range = (stretched() ? Math.max(...map.values) : 1) - low || 1;
  map.values.forEach((value, i) => {
    const difference = base ? value - (base.values[i] ?? 0) : 0;
    const at = 3 * (base ? differenceShade(difference) : shade((value - low) / range));
    image.data.set([table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0, 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
}

export function drawMaps(root: ParentNode): void {
  for (const canvas of root.querySelectorAll<HTMLCanvasElement>("canvas[data-map]")) drawMap(canvas);
}

/** The tick that stretches each map from its own least to its own largest value, to compare shapes. */
export function mapStretch(): void {
  const tick = document.querySelector<HTMLInputElement>("[data-map-stretch]");
  if (!tick) return;
  tick.checked = localStorage.getItem(stretchKey) === "1";
  tick.addEventListener("change", () => {
    localStorage.setItem(stretchKey, tick.checked ? "1" : "0");
    drawMaps(document);
  });
}

/** The slider that says how strongly maps lie over pictures; kept for the next page. */
export function mapOpacity(): void {
  const slider = document.querySelector<HTMLInputElement>("[data-map-opacity]");
  if (!slider) return;
  const key = `map-opacity${location.pathname.includes("/review") ? "-review" : ""}`;
  slider.value = localStorage.getItem(key) ?? slider.value;
  const apply = () => document.documentElement.style.setProperty("--map-opacity", slider.value);
  slider.addEventListener("input", () => {
    localStorage.setItem(key, slider.value);
    apply();
  });
  apply();
}
