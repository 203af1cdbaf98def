// Draws the three layers: the picture, the map over it, and the overlay of cursor, grid and selection. Each is
// a canvas of its own, so that painting redraws the map and not the picture.

import type { Editor } from "../editor.ts";
import { colorTable, shade, type ColorMapName } from "../colormap.ts";
import { imagePoint, screenPoint, type Region } from "../geometry.ts";
import { contour, contourLevels } from "./contours.ts";
import { markAt } from "../marks.ts";
import { paintCells, paintSmooth, smoothFactor, type HeatStyle } from "./heat.ts";
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
    g.lineWidth = 1.5;
    g.strokeStyle = "#fff";
    g.strokeRect(inside.x, inside.y, inside.width, inside.height);
  }
}

/** Keeps the small canvas that map pixels are made in. */
export class MapPainter {
  private readonly canvas = document.createElement("canvas");
  private pixels: ImageData | null = null;

  draw(g: CanvasRenderingContext2D, editor: Editor): void {
    const { document: doc, settings } = editor;
    const other = editor.showModel ? null : editor.other;
    const { rows, columns } = other ?? doc;
    const values = other?.values ?? (editor.showModel ? doc.model : (editor.ahead ?? doc.values));
    if (values.length === 0 || editor.showPhotograph) return; // another map was asked for, and there is none
    const view = settings.get("view");
    if (view === "marks" && !other && !editor.showModel) return; // the overlay has them
    const style: HeatStyle = editor.showDifference && !editor.showModel && !other
      ? { kind: "difference", from: doc.model }
      : view === "spotlight" ? { kind: "spotlight" } : { kind: "map", colors: settings.get("colorMap") };
    if (view === "contours" && style.kind === "map") {
      drawContours(g, onScreen(editor, editor.scene.region), values, rows, columns, style.colors);
      return;
    }
    const factor = view === "cells" ? 1 : smoothFactor(rows, columns);
    const pixels = this.sized(columns * factor, rows * factor);
    const out = new Uint32Array(pixels.data.buffer);
    if (factor === 1) paintCells(values, style, out);
    else paintSmooth(values, rows, columns, factor, style, out);
    pencil(this.canvas).putImageData(pixels, 0, 0);
    const at = onScreen(editor, editor.scene.region);
    g.imageSmoothingEnabled = factor > 1;
    g.imageSmoothingQuality = "low"; // bilinear
    g.drawImage(this.canvas, at.x, at.y, at.width, at.height);
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

/** Draws the lines of equal attention over a clear picture, each in its colour. */
function drawContours(g: CanvasRenderingContext2D, at: Region, values: ArrayLike<number>, rows: number, columns: number, colors: ColorMapName): void {
  const table = colorTable(colors);
  for (const level of contourLevels) {
    g.beginPath();
    for (const [from, to] of contour(values, rows, columns, level)) {
      g.moveTo(at.x + (from.x / columns) * at.width, at.y + (from.y / rows) * at.height);
      g.lineTo(at.x + (to.x / columns) * at.width, at.y + (to.y / rows) * at.height);
    }
    const color = 3 * shade(level);
    outline(g, `rgb(${table.subarray(color, color + 3).join(" ")})`, 2);
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

export function drawOverlay(g: CanvasRenderingContext2D, editor: Editor): void {
  if (editor.showPhotograph) return;
  if (!editor.other && !editor.showModel) drawMarks(g, editor);
  if (editor.settings.get("grid")) drawGrid(g, editor);
  drawShapes(g, editor);
  drawCellCursor(g, editor);
  drawLineAhead(g, editor);
  drawBrushCursor(g, editor);
}

/** Marked cells: a grey veil with a question mark where the person does not know, a dark one with a cross where nothing is to be looked at. */
function drawMarks(g: CanvasRenderingContext2D, editor: Editor): void {
  const { marks, columns, rows } = editor.document;
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
  const at = onScreen(editor, editor.scene.region);
  const { rows, columns } = editor.document;
  const width = at.width / columns;
  const height = at.height / rows;
  g.beginPath();
  g.rect(at.x + (editor.cell % columns) * width, at.y + Math.floor(editor.cell / columns) * height, width, height);
  outline(g, "#ffd84d", 2);
}

const smallestSign = 9; // CSS pixels of a cell from which on its mark has a sign
const brushes: readonly string[] = ["brush", "eraser", "smooth"];

/** The straight line that a press would paint while Shift is held. */
function drawLineAhead(g: CanvasRenderingContext2D, editor: Editor): void {
  const { hover, lastPoint } = editor;
  if (!editor.shift || !hover || !lastPoint || editor.busy || editor.readOnly || editor.comparing || !brushes.includes(editor.tool)) return;
  const from = editor.toScreen(lastPoint);
  g.beginPath();
  g.moveTo(from.x, from.y);
  g.lineTo(hover.x, hover.y);
  g.setLineDash([6, 4]);
  outline(g);
  g.setLineDash([]);
}

/** The brush's true footprint: its rim, and where its full weight ends. */
function drawBrushCursor(g: CanvasRenderingContext2D, editor: Editor): void {
  const p = editor.ring;
  if (!p || editor.comparing || (!brushes.includes(editor.tool) && !editor.sizing)) return;
  const { settings, placement, viewport } = editor;
  const press = settings.get("pressure") === "size" ? 0.25 + 0.75 * editor.pressure : 1;
  const { rx, ry } = placement.radii(settings.get("size") * press);
  const x = rx * placement.cellWidth * viewport.scale;
  const y = ry * placement.cellHeight * viewport.scale;
  g.beginPath();
  g.ellipse(p.x, p.y, x, y, 0, 0, 2 * Math.PI);
  outline(g);
  const hardness = settings.get("hardness");
  if (hardness > 0.05 && hardness < 0.95 && x * hardness > 3) {
    g.beginPath();
    g.ellipse(p.x, p.y, x * hardness, y * hardness, 0, 0, 2 * Math.PI);
    g.setLineDash([2, 3]);
    g.lineWidth = 1;
    g.strokeStyle = "rgba(255, 255, 255, 0.75)";
    g.stroke();
    g.setLineDash([]);
  }
  const dot = screenPoint(p.x, p.y);
  g.beginPath();
  g.arc(dot.x, dot.y, 1.25, 0, 2 * Math.PI);
  outline(g, "#fff", 0.75);
}
