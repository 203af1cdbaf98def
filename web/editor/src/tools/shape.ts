// Lasso, box and ellipse: Idle → Drawing → Idle. Each makes a selection; a click without a shape lets it go.
// With Shift a box is a square, and an ellipse a circle, on the picture.

import { mapPoint, type MapPoint } from "../geometry.ts";
import { boxCoverage, ellipseCoverage, isEmpty, polygonCoverage } from "../selection.ts";
import type { Sketch, Tool, ToolContext, ToolEvent } from "./tool.ts";

const corners = (a: MapPoint, b: MapPoint): MapPoint[] => [a, mapPoint(b.x, a.y), b, mapPoint(a.x, b.y)];

const rimPoints = 64;

/** The rim of the ellipse that fills the box between two corners. */
function rim(a: MapPoint, b: MapPoint): MapPoint[] {
  return Array.from({ length: rimPoints }, (_, i) => {
    const angle = (2 * Math.PI * i) / rimPoints;
    return mapPoint((a.x + b.x) / 2 + (Math.cos(angle) * (b.x - a.x)) / 2, (a.y + b.y) / 2 + (Math.sin(angle) * (b.y - a.y)) / 2);
  });
}

abstract class ShapeTool implements Tool {
  abstract readonly name: "lasso" | "box" | "ellipse";
  protected points: MapPoint[] = [];

  constructor(protected readonly context: ToolContext) {}

  protected abstract outline(): readonly MapPoint[];
  protected abstract coverage(): Float32Array;
  protected abstract extend(p: MapPoint, even: boolean): void;

  get active(): boolean {
    return this.points.length > 0;
  }

  get sketch(): Sketch | null {
    return this.active ? { points: this.outline(), closed: true } : null;
  }

  onDown(e: ToolEvent): void {
    this.points = [e.map];
    this.context.redraw();
  }

  onMove(e: ToolEvent): void {
    if (!this.active) return;
    this.extend(e.map, e.shift);
    this.context.redraw();
  }

  onUp(e: ToolEvent): void {
    if (!this.active) return;
    this.extend(e.map, e.shift);
    const coverage = this.coverage();
    const outline = this.outline();
    this.points = [];
    this.context.document.select(isEmpty(coverage) ? null : { coverage, outline });
  }

  onCancel(): void {
    this.points = [];
    this.context.redraw();
  }
}

export class LassoTool extends ShapeTool {
  readonly name = "lasso";

  protected extend(p: MapPoint): void {
    const last = this.points[this.points.length - 1];
    if (last && Math.hypot(p.x - last.x, p.y - last.y) > 0.02) this.points.push(p);
  }

  protected outline(): readonly MapPoint[] {
    return this.points;
  }

  protected coverage(): Float32Array {
    return polygonCoverage(this.points, this.context.document.rows, this.context.document.columns);
  }
}

/** A shape between the place where the pointer went down and where it is. */
abstract class SpanTool extends ShapeTool {
  protected extend(p: MapPoint, even: boolean): void {
    const [a] = this.points;
    if (!a || !even) return void (this.points[1] = p);
    const { cellWidth, cellHeight } = this.context.placement;
    const side = Math.max(Math.abs(p.x - a.x) * cellWidth, Math.abs(p.y - a.y) * cellHeight); // in pixels of the picture
    const along = (from: number, to: number, cell: number) => from + (to < from ? -side : side) / cell;
    this.points[1] = mapPoint(along(a.x, p.x, cellWidth), along(a.y, p.y, cellHeight));
  }

  protected outline(): readonly MapPoint[] {
    const [a, b] = this.points;
    return a && b ? this.shape(a, b) : a ? [a] : [];
  }

  protected coverage(): Float32Array {
    const { rows, columns } = this.context.document;
    const [a, b] = this.points;
    return a && b ? this.cover(a, b, rows, columns) : new Float32Array(rows * columns);
  }

  protected abstract shape(a: MapPoint, b: MapPoint): readonly MapPoint[];
  protected abstract cover(a: MapPoint, b: MapPoint, rows: number, columns: number): Float32Array;
}

export class BoxTool extends SpanTool {
  readonly name = "box";
  protected readonly shape = corners;
  protected readonly cover = boxCoverage;
}

export class EllipseTool extends SpanTool {
  readonly name = "ellipse";
  protected readonly shape = rim;
  protected readonly cover = ellipseCoverage;
}
