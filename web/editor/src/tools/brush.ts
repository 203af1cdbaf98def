// Brush, eraser and smoother: Idle → Painting or Lining → Idle. Dabs stand along the path at a tenth of the brush's
// diameter, measured in cells, whatever the pointer's speed or the device's rate. With Shift a stroke is a straight line, from where the last one ended
// or else from where it begins, whose end follows the pointer until it is lifted.

import type { MapPoint } from "../geometry.ts";
import { painting } from "../painting.ts";
import type { PaintMode } from "../mode.ts";
import { partsFor, type Stroke } from "../stroke.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";
import { later } from "../words.ts";

/** How far a stroke has come; `due` is how far it still goes before the next dab, in cells. */
interface Way {
  readonly last: MapPoint;
  readonly lastPressure: number;
  readonly due: number;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "lining"; readonly from: MapPoint }
  | ({ readonly kind: "painting"; readonly stroke: Stroke } & Way);

const labels = { brush: later("Brush"), eraser: later("Erase"), smooth: later("Smooth") } as const;
const lightest = 0.25; // of size or strength, at no pressure

export class BrushTool implements Tool {
  readonly sketch = null;
  private state: State = { kind: "idle" };

  constructor(
    readonly name: "brush" | "eraser" | "smooth",
    private readonly context: ToolContext,
  ) {}

  get active(): boolean {
    return this.state.kind !== "idle";
  }

  onDown(e: ToolEvent): void {
    if (e.shift) {
      this.state = { kind: "lining", from: this.context.lastPoint ?? e.map };
      return this.line(this.state.from, e);
    }
    const stroke = this.begin();
    this.state = { kind: "painting", stroke, last: e.map, lastPressure: e.pressure, due: 0 };
    this.dab(stroke, e.map.x, e.map.y, e.pressure);
    this.context.document.touched();
  }

  /** The line from one place to where the pointer is, in place of the one before. */
  private line(from: MapPoint, e: ToolEvent): void {
    const stroke = this.begin();
    this.dab(stroke, from.x, from.y, 1);
    this.along({ last: from, lastPressure: 1, due: 0 }, { ...e, pressure: 1 }, stroke);
    this.dab(stroke, e.map.x, e.map.y, 1);
    this.context.document.touched();
  }

  private begin(): Stroke {
    const { document, settings, placement } = this.context;
    const { rx, ry } = placement.radii(this.size());
    const { label } = painting(settings, this.name === "eraser");
    return document.begin(
      this.marks ? (label ?? "") : this.label(), { mode: this.mode(), strength: this.strength(), hardness: this.marks ? 1 : settings.get("hardness") },
      partsFor(Math.min(rx, ry)),
    );
  }

  /** Whether it puts marks down, or takes them away; the smoother works on values always. */
  private get marks(): boolean {
    return this.name !== "smooth" && this.context.settings.get("layer") !== "values";
  }

  /** A mark is of a whole cell: a brush smaller than that would leave none. */
  private size(): number {
    const size = this.context.settings.get("size");
    return this.marks ? Math.max(1, size) : size;
  }

  onMove(e: ToolEvent): void {
    if (this.state.kind === "lining") return this.line(this.state.from, e);
    if (this.state.kind !== "painting") return;
    Object.assign(this.state, this.along(this.state, e, this.state.stroke));
    this.context.document.touched();
  }

  ahead(events: readonly ToolEvent[]): Float32Array {
    if (this.state.kind !== "painting" || this.marks) return this.context.document.values;
    let way: Way = this.state;
    return this.state.stroke.ahead((copy) => {
      for (const e of events) way = this.along(way, e, copy);
    });
  }

  /** Dabs from where the way has come to as far as `e`; returns how far it has come then. */
  private along({ last, lastPressure, due }: Way, e: ToolEvent, stroke: Stroke): Way {
    const dx = e.map.x - last.x;
    const dy = e.map.y - last.y;
    const length = Math.hypot(dx, dy);
    const spacing = Math.max(0.05, this.context.settings.get("size") * 0.1);
    let at = due === 0 ? spacing : due;
    for (; at <= length; at += spacing) {
      const t = at / length;
      this.dab(stroke, last.x + dx * t, last.y + dy * t, lastPressure + (e.pressure - lastPressure) * t);
    }
    return { last: e.map, lastPressure: e.pressure, due: at - length };
  }

  onUp(e: ToolEvent): void {
    if (this.state.kind === "idle") return;
    this.onMove(e);
    if (this.state.kind === "painting") this.dab(this.state.stroke, e.map.x, e.map.y, e.pressure); // the stroke ends where the pointer did
    this.state = { kind: "idle" };
    this.context.lastPoint = e.map;
    this.context.document.commit();
  }

  onCancel(): void {
    if (this.state.kind === "idle") return;
    this.state = { kind: "idle" };
    this.context.document.cancel();
  }

  private dab(stroke: Stroke, x: number, y: number, pressure: number): void {
    const { settings, placement } = this.context;
    const press = lightest + (1 - lightest) * pressure;
    const on = this.marks ? "off" : settings.get("pressure");
    const { rx, ry } = placement.radii(this.size() * (on === "size" ? press : 1));
    stroke.dab(x, y, rx, ry, on === "strength" ? press : 1);
  }

  private mode(): PaintMode {
    if (this.marks) return "mark";
    if (this.name === "eraser") return "erase";
    return this.name === "smooth" ? "smooth" : this.context.settings.get("mode");
  }

  private strength(): number {
    if (this.marks) return painting(this.context.settings, this.name === "eraser").strength;
    const strength = this.context.settings.get("strength");
    // An eraser or smoother of strength 0 would do nothing; 0 is what X swaps in to paint zeros with.
    return this.name !== "brush" && strength === 0 ? 1 : strength;
  }

  private label(): string {
    const mode = this.context.settings.get("mode");
    if (this.name !== "brush" || mode === "set") return labels[this.name];
    return mode === "add" ? later("Add") : later("Subtract");
  }
}
