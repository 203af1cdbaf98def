// Draws the picture, the map over it, and above both cursor, grid and selection; and says where on the screen they changed, so that a
// stroke draws anew what it changed and not the whole canvas.

import type { Editor } from "../editor.ts";
import { colorTable, shade, type ColorMapName } from "../colormap.ts";
import { around, bounds, grown, imagePoint, type Region, type ScreenPoint } from "../geometry.ts";
import { contour, contourLevels } from "./contours.ts";
import { markAt } from "../marks.ts";
import { paintCells, paintSmooth, pixelsOf, smoothFactor, type Box, type HeatStyle } from "./heat.ts";
import { pencil } from "./pencil.ts";

export interface Pictures {
  readonly view: CanvasImageSource | null;
  readonly whole: CanvasImageSource | null;
}

/** Where a rectangle of the picture is on the screen, in CSS pixels. */
function onScreen(editor: Editor, region: Region): Region {
  const a = editor.viewport.toScreen(imagePoint(region.x, region.y));
  return { x: a.x, y: a.y, width: region.width * editor.viewport.scale, height: region.height * editor.viewport.scale };
}

/** Where the picture is on the screen with its frame: what the model sees of it, or all. */
export const pictureOnScreen = (editor: Editor): Region =>
  editor.showWhole ? grown(onScreen(editor, editor.scene.whole), frame) : onScreen(editor, editor.scene.region);

const frame = 1.5; // CSS pixels: line around what the model sees of a whole picture

export function drawPicture(g: CanvasRenderingContext2D, editor: Editor, pictures: Pictures): void {
  g.imageSmoothingEnabled = true;
  g.imageSmoothingQuality = editor.viewport.scale < 1 ? "high" : "medium";
  const { region, whole } = editor.scene;
  const inside = onScreen(editor, region);
  if (editor.showWhole && pictures.whole) {
    const all = onScreen(editor, whole);
    g.drawImage(pictures.whole, all.x, all.y, all.width, all.height);
    g.fillStyle = "rgba(0, 0, 0, 0.55)"; // what the model does not see
    g.beginPath();
    g.rect(all.x, all.y, all.width, all.height);
    g.rect(inside.x, inside.y, inside.width, inside.height);
    g.fill("evenodd");
  }
  if (pictures.view) g.drawImage(pictures.view, inside.x, inside.y, inside.width, inside.height);
  if (editor.showWhole) {
    g.lineWidth = frame;
    g.strokeStyle = "#fff";
    g.strokeRect(inside.x, inside.y, inside.width, inside.height);
  }
}

const hintOpacity = 0.85; // of its strongest colours

/** Takes the colours out of what is drawn, so that those of a hint are no picture's. */
function greyOut(g: CanvasRenderingContext2D, at: Region): void {
  g.globalCompositeOperation = "saturation";
  g.fillStyle = "#808080";
  g.fillRect(at.x, at.y, at.width, at.height);
  g.globalCompositeOperation = "source-over";
}

/** Keeps the small canvas that map pixels are made in. */
export class MapPainter {
  // Not an element where the browser has another kind: of an element every change is also made ready to be shown, in every frame.
  private readonly canvas = typeof OffscreenCanvas === "undefined" ? document.createElement("canvas") : new OffscreenCanvas(1, 1);
  private pixels: ImageData | null = null;
  private painted: { values: Float32Array; lines: Float32Array; marks: Float32Array; rows: number; columns: number; key: string } | null = null;

  /** Brings the small canvas up to date. Where on the screen something changed; null: nowhere. */
  update(editor: Editor): Region | null {
    const { document: doc } = editor;
    const { values, rows, columns } = shownMap(editor);
    const lines = linesOver(editor) ?? values;
    const style = styleOf(editor);
    const smooth = editor.settings.get("view") !== "cells";
    const key = [rows, columns, smooth, style.kind, style.kind === "map" && style.colors, style.kind === "map" && style.range?.join()].join();
    const was = this.painted?.key === key && this.painted.values.length === values.length ? this.painted : null;
    const cells = was ? changedCells([[was.values, values], [was.lines, lines], [was.marks, doc.marks]], rows, columns) : { top: 0, left: 0, bottom: rows, right: columns };
    if (!cells) return null;
    const copy = values.slice();
    this.painted = { values: copy, lines: lines === values ? copy : lines.slice(), marks: doc.marks.slice(), rows, columns, key };
    const factor = smooth ? smoothFactor(rows, columns) : 1;
    const pixels = this.sized(columns * factor, rows * factor);
    const out = new Uint32Array(pixels.data.buffer);
    const box = pixelsOf(cells, rows, columns, factor);
    if (factor === 1) paintCells(values, style, out);
    else paintSmooth(values, rows, columns, factor, style, out, box);
    const [wide, high] = [box.right - box.left, box.bottom - box.top];
    pencil(this.canvas).putImageData(pixels, 0, 0, box.left, box.top, wide, high);
    const at = onScreen(editor, editor.scene.region);
    const [width, height] = [at.width / (columns * factor), at.height / (rows * factor)]; // of a pixel
    return grown({ x: at.x + box.left * width, y: at.y + box.top * height, width: wide * width, height: high * height }, (smooth ? width : 0) + 4);
  }

  /** Draws the map as update left it. */
  draw(g: CanvasRenderingContext2D, editor: Editor): void {
    if (!this.painted || this.painted.values.length === 0) return; // another map was asked for, and there is none
    const { values, lines, rows, columns } = this.painted;
    const view = editor.settings.get("view");
    if (view === "marks" && !editor.other && !editor.showModel && !editor.hint) return; // the overlay has them
    const style = styleOf(editor);
    const at = onScreen(editor, editor.scene.region);
    if (view === "contours" && style.kind === "map") {
      drawContours(g, at, values, rows, columns, style.colors);
      return;
    }
    if (style.kind === "hint") greyOut(g, at);
    g.globalAlpha = style.kind === "spotlight" ? 1 : style.kind === "hint" ? hintOpacity : editor.settings.get("opacity");
    g.imageSmoothingEnabled = view !== "cells";
    g.imageSmoothingQuality = "low"; // bilinear
    g.drawImage(this.canvas, at.x, at.y, at.width, at.height);
    g.globalAlpha = 1;
    if (style.kind === "hint") drawContours(g, at, lines, rows, columns, null);
  }

  private sized(width: number, height: number): ImageData {
    if (!this.pixels || this.pixels.width !== width || this.pixels.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.pixels = new ImageData(width, height);
    }
    return this.pixels;
  }
}

/** The map that is on the screen: another one, the model's, the document's, or that with the paint that is foreseen. */
function shownMap(editor: Editor): { values: Float32Array; rows: number; columns: number } {
  const { document: doc } = editor;
  const other = editor.showModel ? null : editor.other;
  const { rows, columns } = other ?? doc;
  const hint = editor.showModel ? undefined : editor.hint?.values;
  return { values: other?.values ?? hint ?? (editor.showModel ? doc.model : (editor.ahead ?? doc.values)), rows, columns };
}

/** The map that is painted, whose lines stand over a hint; null where no hint is drawn. */
function linesOver(editor: Editor): Float32Array | null {
  return editor.hint && !editor.other && !editor.showModel ? (editor.ahead ?? editor.document.values) : null;
}

function styleOf(editor: Editor): HeatStyle {
  const { settings, document: doc } = editor;
  if (linesOver(editor)) return { kind: "hint" };
  if (editor.showDifference && !editor.showModel && !editor.other) return { kind: "difference", from: doc.model };
  if (settings.get("view") === "spotlight") return { kind: "spotlight" };
  const range = stretchedRange(editor);
  return { kind: "map", colors: settings.get("colorMap"), ...(range && { range }) };
}

/** The least and the largest value of the map that is shown, where the colours are stretched over them; null: they go from 0 to 1. */
export function stretchedRange(editor: Editor): readonly [number, number] | null {
  if (!editor.settings.get("stretch")) return null;
  let [low, high] = [Infinity, -Infinity];
  for (const v of shownMap(editor).values) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return high > low ? [low, high] : null;
}

/** The cells in which what is drawn differs from what was; null where none does. */
function changedCells(pairs: readonly (readonly [was: Float32Array, now: Float32Array])[], rows: number, columns: number): Box | null {
  let [top, left, bottom, right] = [rows, columns, -1, -1];
  for (let i = 0; i < rows * columns; i++) {
    if (pairs.every(([was, now]) => was[i] === now[i])) continue;
    const [r, c] = [Math.floor(i / columns), i % columns];
    top = Math.min(top, r);
    bottom = Math.max(bottom, r);
    left = Math.min(left, c);
    right = Math.max(right, c);
  }
  if (bottom < 0) return null;
  return { top, left, bottom: bottom + 1, right: right + 1 };
}

/** Draws the lines of equal attention over a picture, each in its colour, or white. */
function drawContours(g: CanvasRenderingContext2D, at: Region, values: ArrayLike<number>, rows: number, columns: number, colors: ColorMapName | null): void {
  const table = colors && colorTable(colors);
  for (const level of contourLevels) {
    g.beginPath();
    for (const [from, to] of contour(values, rows, columns, level)) {
      g.moveTo(at.x + (from.x / columns) * at.width, at.y + (from.y / rows) * at.height);
      g.lineTo(at.x + (to.x / columns) * at.width, at.y + (to.y / rows) * at.height);
    }
    const color = 3 * shade(level);
    if (table) outline(g, `rgb(${table.subarray(color, color + 3).join(" ")})`, 2);
    else outline(g, "#fff", 1);
  }
}

/** Strokes the current path dark and then light, so that it shows on any picture. */
function outline(g: CanvasRenderingContext2D, light = "#fff", width = 1.25): void {
  g.lineWidth = width + 1.75;
  g.strokeStyle = "rgba(0, 0, 0, 0.65)";
  g.stroke();
  g.lineWidth = width;
  g.strokeStyle = light;
  g.stroke();
}

/** What is said of cells beside their values. */
export function drawSaid(g: CanvasRenderingContext2D, editor: Editor): void {
  if (!editor.other && !editor.showModel) drawMarks(g, editor);
}

export function drawOverlay(g: CanvasRenderingContext2D, editor: Editor): void {
  if (editor.showPhotograph) return;
  if (editor.settings.get("grid")) drawGrid(g, editor);
  drawShapes(g, editor);
  drawCellCursor(g, editor);
  drawLineAhead(g, editor);
  drawBrushCursor(g, editor);
}

/** Where the parts of the overlay are that move with the pointer or the keyboard's cell; null: there are none. */
export function movingOverlay(editor: Editor): Region | null {
  let box: Region | null = null;
  const { ring } = editor;
  if (ring) {
    const radius = brushRadius(editor);
    box = { x: ring.x - radius.x, y: ring.y - radius.y, width: 2 * radius.x, height: 2 * radius.y };
  }
  const sketch = editor.activeTool.sketch?.points;
  if (sketch) box = around(box, bounds(sketch.map((p) => editor.toScreen(p))));
  const line = lineAhead(editor);
  if (line) box = around(box, bounds(line));
  if (editor.cell >= 0) box = around(box, cellOnScreen(editor, editor.cell));
  return box && grown(box, 6);
}

/** Marked cells: a grey veil with a question mark where the person does not know, a dark one with a cross where nothing is to be looked at. */
function drawMarks(g: CanvasRenderingContext2D, editor: Editor): void {
  const { marks, columns, rows } = editor.document;
  if (!marks.some((mark) => mark !== 0)) return;
  const at = onScreen(editor, editor.scene.region);
  const [width, height] = [at.width / columns, at.height / rows];
  const size = Math.min(width, height);
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.font = `600 ${Math.round(size * 0.6)}px system-ui, sans-serif`;
  for (let i = 0; i < marks.length; i++) {
    const mark = markAt(marks[i]);
    if (!mark) continue;
    const [x, y] = [at.x + (i % columns) * width, at.y + Math.floor(i / columns) * height];
    g.fillStyle = mark === "unknown" ? "rgba(150, 150, 150, 0.72)" : "rgba(20, 8, 8, 0.72)";
    g.fillRect(x, y, width, height);
    if (size < smallestSign) continue;
    if (mark === "unknown") {
      g.fillStyle = "#111";
      g.fillText("?", x + width / 2, y + height / 2 + size * 0.04);
      continue;
    }
    const [dx, dy] = [width * 0.28, height * 0.28];
    g.beginPath();
    g.moveTo(x + dx, y + dy);
    g.lineTo(x + width - dx, y + height - dy);
    g.moveTo(x + width - dx, y + dy);
    g.lineTo(x + dx, y + height - dy);
    g.lineWidth = Math.max(1, size * 0.09);
    g.strokeStyle = "#ff8a73";
    g.stroke();
  }
}

function drawGrid(g: CanvasRenderingContext2D, editor: Editor): void {
  const at = onScreen(editor, editor.scene.region);
  const { rows, columns } = editor.other ?? editor.document;
  g.beginPath();
  for (let c = 0; c <= columns; c++) {
    const x = at.x + (at.width * c) / columns;
    g.moveTo(x, at.y);
    g.lineTo(x, at.y + at.height);
  }
  for (let r = 0; r <= rows; r++) {
    const y = at.y + (at.height * r) / rows;
    g.moveTo(at.x, y);
    g.lineTo(at.x + at.width, y);
  }
  g.lineWidth = 0.75;
  g.strokeStyle = "rgba(255, 255, 255, 0.35)";
  g.stroke();
}

function drawShapes(g: CanvasRenderingContext2D, editor: Editor): void {
  const sketch = editor.activeTool.sketch?.points;
  const selection = editor.document.selection?.outline;
  const edges = editor.document.selection?.edges;
  if (edges) {
    g.beginPath();
    for (const [from, to] of edges) {
      const [a, b] = [editor.toScreen(from), editor.toScreen(to)];
      g.moveTo(a.x, a.y);
      g.lineTo(b.x, b.y);
    }
    outline(g);
  }
  for (const [points, dashed] of [[selection, true], [sketch, false]] as const) {
    if (!points || points.length < 2) continue;
    g.beginPath();
    points.forEach((p, i) => {
      const s = editor.toScreen(p);
      if (i === 0) g.moveTo(s.x, s.y);
      else g.lineTo(s.x, s.y);
    });
    g.closePath();
    g.setLineDash(dashed ? [5, 4] : []);
    outline(g);
    g.setLineDash([]);
  }
}

function drawCellCursor(g: CanvasRenderingContext2D, editor: Editor): void {
  if (editor.cell < 0) return;
  const { x, y, width, height } = cellOnScreen(editor, editor.cell);
  g.beginPath();
  g.rect(x, y, width, height);
  outline(g, "#ffd84d", 2);
}

function cellOnScreen(editor: Editor, cell: number): Region {
  const at = onScreen(editor, editor.scene.region);
  const { rows, columns } = editor.document;
  const [width, height] = [at.width / columns, at.height / rows];
  return { x: at.x + (cell % columns) * width, y: at.y + Math.floor(cell / columns) * height, width, height };
}

const smallestSign = 9; // CSS pixels of a cell from which on its mark has a sign
const brushes: readonly string[] = ["brush", "eraser", "smooth"];

/** The straight line that a press would paint while Shift is held; null: none. */
function lineAhead(editor: Editor): readonly [ScreenPoint, ScreenPoint] | null {
  const { hover, lastPoint } = editor;
  if (!editor.shift || !hover || !lastPoint || editor.busy || editor.readOnly || editor.comparing || !brushes.includes(editor.tool)) return null;
  return [editor.toScreen(lastPoint), hover];
}

function drawLineAhead(g: CanvasRenderingContext2D, editor: Editor): void {
  const line = lineAhead(editor);
  if (!line) return;
  g.beginPath();
  g.moveTo(line[0].x, line[0].y);
  g.lineTo(line[1].x, line[1].y);
  g.setLineDash([6, 4]);
  outline(g);
  g.setLineDash([]);
}

/** Radii of the brush on the screen, in CSS pixels. */
function brushRadius({ settings, placement, viewport, pressure }: Editor): { x: number; y: number } {
  const press = settings.get("pressure") === "size" ? 0.25 + 0.75 * pressure : 1;
  const { rx, ry } = placement.radii(settings.get("size") * press);
  return { x: rx * placement.cellWidth * viewport.scale, y: ry * placement.cellHeight * viewport.scale };
}

const dot = 0.75; // CSS pixels: radius of the brush's middle

/** The brush's true footprint: its rim and its middle, and where its full weight ends. */
function drawBrushCursor(g: CanvasRenderingContext2D, editor: Editor): void {
  const p = editor.ring;
  if (!p || editor.comparing || (!brushes.includes(editor.tool) && !editor.sizing)) return;
  const { x, y } = brushRadius(editor);
  g.beginPath();
  g.ellipse(p.x, p.y, x, y, 0, 0, 2 * Math.PI);
  g.moveTo(p.x + dot, p.y);
  g.arc(p.x, p.y, dot, 0, 2 * Math.PI);
  outline(g);
  const hardness = editor.settings.get("hardness");
  if (hardness > 0.05 && hardness < 0.95 && x * hardness > 3) {
    g.beginPath();
    g.ellipse(p.x, p.y, x * hardness, y * hardness, 0, 0, 2 * Math.PI);
    g.lineWidth = 1; // not dashed: dashes of a rim cost as much as all else of the ring
    g.strokeStyle = "rgba(255, 255, 255, 0.5)";
    g.stroke();
  }
}
