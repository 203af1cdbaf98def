// The tools that act where the pointer goes down: flood fill and the value picker.

import { flood } from "../flood.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";

abstract class ClickTool implements Tool {
  abstract readonly name: "flood" | "pick";
  readonly active = false;
  readonly sketch = null;

  constructor(protected readonly context: ToolContext) {}

  abstract act(cell: number): void;

  onDown(e: ToolEvent): void {
    const cell = this.context.placement.cellAt(e.map);
    if (cell >= 0) this.act(cell);
  }

  onMove(): void {}
  onUp(): void {}
  onCancel(): void {}
}

/** Fills the cells connected to the one clicked, of about its value, as the brush would paint them. */
export class FloodTool extends ClickTool {
  readonly name = "flood";

  act(cell: number): void {
    const { document, settings } = this.context;
    const region = flood(document.values, document.rows, document.columns, cell, settings.get("tolerance"));
    const stroke = document.begin(
      "Flood fill", { mode: settings.get("mode"), strength: settings.get("strength"), hardness: 1 }, 1,
    );
    stroke.fill(region);
    document.commit();
  }
}

/** Takes the value under the pointer as the brush's strength. */
export class PickTool extends ClickTool {
  readonly name = "pick";

  act(cell: number): void {
    this.context.picked(this.context.document.values[cell] ?? 0);
  }
}
