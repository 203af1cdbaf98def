// Selects what looks to the network like the places clicked: Idle, each click a step. More clicks add, with Alt they take away; the
// threshold can be moved as long as the selection is there.

import { alike, type Click, type Likeness } from "../likeness.ts";
import { outlined } from "../selection.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";

export class WandTool implements Tool {
  readonly name = "wand";
  readonly active = false;
  readonly sketch = null;
  clicks: readonly Click[] = [];
  private likeness: Likeness | null = null;

  constructor(private readonly context: ToolContext) {}

  /** What is known of the picture now; null: nothing yet, and the clicks made are forgotten. */
  know(likeness: Likeness | null): void {
    this.likeness = likeness;
    if (likeness) this.select();
    else this.clicks = [];
  }

  /** Lets the clicks go, with the selection that they made. */
  forget(): void {
    this.clicks = [];
  }

  onDown(e: ToolEvent): void {
    const { document, settings } = this.context;
    if (this.context.placement.cellAt(e.map) < 0) return;
    const add = (settings.get("wand") === "add") !== e.alt;
    this.clicks = [...this.clicks, { x: e.map.x / document.columns, y: e.map.y / document.rows, add }];
    if (this.likeness) this.select();
    else this.context.needLikeness();
  }

  /** Selects anew, by the clicks and the threshold as they are. */
  select(): void {
    const { document, settings } = this.context;
    if (!this.likeness || this.clicks.length === 0) return;
    const { rows, columns } = document;
    const coverage = alike(this.likeness, this.clicks, settings.get("alikeness"), rows, columns);
    const clicks = this.clicks; // they go on while the threshold is moved
    document.select(outlined(coverage, rows, columns));
    this.clicks = clicks;
  }

  onMove(): void {}
  onUp(): void {}
  onCancel(): void {}
}
