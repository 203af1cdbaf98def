// Moves the picture under the canvas: Idle → Dragging → Idle.

import type { ScreenPoint } from "../geometry.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";

export class PanTool implements Tool {
  readonly name = "pan";
  readonly sketch = null;
  private last: ScreenPoint | null = null;

  constructor(private readonly context: ToolContext) {}

  get active(): boolean {
    return this.last !== null;
  }

  onDown(e: ToolEvent): void {
    this.last = e.screen;
  }

  onMove(e: ToolEvent): void {
    if (!this.last) return;
    this.context.pan(e.screen.x - this.last.x, e.screen.y - this.last.y);
    this.last = e.screen;
  }

  onUp(e: ToolEvent): void {
    this.onMove(e);
    this.last = null;
  }

  onCancel(): void {
    this.last = null;
  }
}
