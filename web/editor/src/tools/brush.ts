// Brush, eraser and smoother: Idle → Painting → Idle. Dabs stand along the path at a tenth of the brush's
// diameter, measured in cells, whatever the pointer's speed or the device's rate.

import type { MapPoint } from "../geometry.ts";
import type { PaintMode } from "../mode.ts";
import { partsFor, type Stroke } from "../stroke.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "painting"; readonly stroke: Stroke; last: MapPoint; lastPressure: number; due: number };

const labels = { brush: "Brush", eraser: "Erase", smooth: "Smooth" } as const;
const lightest = 0.25; // of size or strength, at no pressure

export class BrushTool implements Tool {
  readonly sketch = null;
  private state: State = { kind: "idle" };

  constructor(
    readonly name: "brush" | "eraser" | "smooth",
    private readonly context: ToolContext,
  ) {}

  get active(): boolean {
    return this.state.kind === "painting";
  }

  onDown(e: ToolEvent): void {
    const { document, settings, placement } = this.context;
    const { rx, ry } = placement.radii(settings.get("size"));
    const stroke = document.begin(
      this.label(), { mode: this.mode(), strength: this.strength(), hardness: settings.get("hardness") },
      partsFor(Math.min(rx, ry)),
    );
    this.state = { kind: "painting", stroke, last: e.map, lastPressure: e.pressure, due: 0 };
    this.dab(stroke, e.map.x, e.map.y, e.pressure);
    document.touched();
  }

  onMove(e: ToolEvent): void {
    if (this.state.kind !== "painting") return;
    const state = this.state;
    const dx = e.map.x - state.last.x;
    const dy = e.map.y - state.last.y;
    const length = Math.hypot(dx, dy);
    const spacing = Math.max(0.05, this.context.settings.get("size") * 0.1);
    // `due` is how far the path still goes before the next dab.
    let along = state.due === 0 ? spacing : state.due;
    for (; along <= length; along += spacing) {
      const t = along / length;
      const pressure = state.lastPressure + (e.pressure - state.lastPressure) * t;
      this.dab(state.stroke, state.last.x + dx * t, state.last.y + dy * t, pressure);
    }
    state.due = along - length;
    state.last = e.map;
    state.lastPressure = e.pressure;
    this.context.document.touched();
  }

  onUp(e: ToolEvent): void {
    if (this.state.kind !== "painting") return;
    this.onMove(e);
    this.dab(this.state.stroke, e.map.x, e.map.y, e.pressure); // the stroke ends where the pointer did
    this.state = { kind: "idle" };
    this.context.document.commit();
  }

  onCancel(): void {
    if (this.state.kind !== "painting") return;
    this.state = { kind: "idle" };
    this.context.document.cancel();
  }

  private dab(stroke: Stroke, x: number, y: number, pressure: number): void {
    const { settings, placement } = this.context;
    const press = lightest + (1 - lightest) * pressure;
    const on = settings.get("pressure");
    const { rx, ry } = placement.radii(settings.get("size") * (on === "size" ? press : 1));
    stroke.dab(x, y, rx, ry, on === "strength" ? press : 1);
  }

  private mode(): PaintMode {
    if (this.name === "eraser") return "erase";
    return this.name === "smooth" ? "smooth" : this.context.settings.get("mode");
  }

  private strength(): number {
    const strength = this.context.settings.get("strength");
    // An eraser or smoother of strength 0 would do nothing; 0 is what X swaps in to paint zeros with.
    return this.name !== "brush" && strength === 0 ? 1 : strength;
  }

  private label(): string {
    const mode = this.context.settings.get("mode");
    if (this.name !== "brush" || mode === "set") return labels[this.name];
    return mode === "add" ? "Add" : "Subtract";
  }
}
