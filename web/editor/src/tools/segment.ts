// Selects the thing clicked, as the studio's segmenter sees it: Idle, each click a step. More clicks add, with Alt they take away; the
// server answers all of them anew.

import type { Segment } from "../api/schema.d.ts";
import type { Click } from "../likeness.ts";
import { outlined } from "../selection.ts";
import type { Tool, ToolContext, ToolEvent } from "./tool.ts";

export class SegmentTool implements Tool {
  readonly name = "segment";
  readonly active = false;
  readonly sketch = null;
  clicks: readonly Click[] = [];
  private shown: readonly Click[] = [];

  constructor(private readonly context: ToolContext) {}

  /** Lets the clicks go, with the selection that they made. */
  forget(): void {
    this.clicks = this.shown = [];
  }

  /** Lets those clicks go that no answer came to. */
  giveUp(): void {
    this.clicks = this.shown;
  }

  onDown(e: ToolEvent): void {
    const { document, settings, placement } = this.context;
    if (placement.cellAt(e.map) < 0) return;
    const add = (settings.get("wand") === "add") !== e.alt;
    if (!add && this.clicks.length === 0) return; // there is nothing to take away from
    this.clicks = [...this.clicks, { x: e.map.x / document.columns, y: e.map.y / document.rows, add }];
    this.context.needRegion();
  }

  /** What clicks mean has come; those made meanwhile are answered later. */
  show(clicks: readonly Click[], segment: Segment): void {
    const { document } = this.context;
    const now = this.clicks;
    if (!clicks.every((click, i) => click === now[i])) return; // they were let go
    const coverage = Float32Array.from(segment.coverage);
    document.select(outlined(coverage, document.rows, document.columns, segment.encoder));
    this.clicks = now; // they go on, also where nothing is selected
    this.shown = clicks;
  }

  onMove(): void {}
  onUp(): void {}
  onCancel(): void {}
}
