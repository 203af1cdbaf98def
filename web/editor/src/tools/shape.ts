// Lasso and box: Idle → Drawing → Idle. Either makes a selection; a click without a shape lets it go.

import { mapPoint, type MapPoint } from "../geometry.ts";
import { boxCoverage, isEmpty, polygonCoverage } from "../selection.ts";
import type { Sketch, Tool, ToolContext, ToolEvent } from "./tool.ts";

const corners = (a: MapPoint, b: MapPoint): MapPoint[] => [a, mapPoint(b.x, a.y), b, mapPoint(a.x, b.y)];

abstract class ShapeTool implements Tool {
  abstract readonly name: "lasso" | "box";
  protected points: MapPoint[] = [];

  constructor(protected readonly context: ToolContext) {}

  protected abstract outline(): readonly MapPoint[];
  protected abstract coverage(): Float32Array;
  protected abstract extend(p: MapPoint): void;

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
    this.extend(e.map);
    this.context.redraw();
  }

  onUp(e: ToolEvent): void {
    if (!this.active) return;
    this.extend(e.map);
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

export class BoxTool extends ShapeTool {
  readonly name = "box";

  protected extend(p: MapPoint): void {
    this.points[1] = p;
  }

  protected outline(): readonly MapPoint[] {
    const [a, b] = this.points;
    return a && b ? corners(a, b) : a ? [a] : [];
  }

  protected coverage(): Float32Array {
    const { rows, columns } = this.context.document;
    const [a, b] = this.points;
    return a && b ? boxCoverage(a, b, rows, columns) : new Float32Array(rows * columns);
  }
}
