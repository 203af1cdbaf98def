// The tools that act where the pointer goes down: flood fill and the value picker.

import { floodColours } from "../colours.ts";
import { flood } from "../flood.ts";
import type { MapPoint } from "../geometry.ts";
import { painting } from "../painting.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";
import { later } from "../words.ts";

abstract class ClickTool implements Tool {
  abstract readonly name: "flood" | "pick";
  readonly active = false;
  readonly sketch = null;

  constructor(protected readonly context: ToolContext) {}

  abstract act(cell: number, at: MapPoint): void;

  onDown(e: ToolEvent): void {
    const cell = this.context.placement.cellAt(e.map);
    if (cell >= 0) this.act(cell, e.map);
  }

  onMove(): void {}
  onUp(): void {}
  onCancel(): void {}
}

/** Fills what is connected to the place clicked, of about its value or of about its colour in the picture, as the brush would paint it. */
export class FloodTool extends ClickTool {
  readonly name = "flood";

  act(cell: number, { x, y }: MapPoint): void {
    const { document, settings, colours } = this.context;
    const { rows, columns } = document;
    const byColour = settings.get("floodBy") === "colour" && colours !== null;
    const region = byColour
      ? floodColours(colours, rows, columns, x / columns, y / rows, settings.get("colourTolerance"))
      : flood(document.values, rows, columns, cell, settings.get("tolerance"));
    const { mode, strength, label } = painting(settings);
    const stroke = document.begin(label ?? (byColour ? later("Flood by colour") : later("Flood fill")), { mode, strength, hardness: 1 }, 1);
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
