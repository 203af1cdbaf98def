// A tool is a small state machine. It gets pointer events in map coordinates, sees the editor through the narrow
// ToolContext, and can be told at any moment to give up what it was doing (onCancel).

import type { Colours } from "../colours.ts";
import type { MapDocument } from "../document.ts";
import type { MapPoint, Placement, ScreenPoint } from "../geometry.ts";
import type { Settings } from "../settings.ts";
import type { ToolName } from "./names.ts";

export interface ToolEvent {
  readonly screen: ScreenPoint;
  readonly map: MapPoint;
  readonly pressure: number; // [0,1]; 1 where the device has none
  readonly shift: boolean;
  readonly alt: boolean;
}

/** What a tool may see and do. */
export interface ToolContext {
  readonly document: MapDocument;
  readonly settings: Settings;
  readonly placement: Placement;
  /** The picture's pixels, where they are known. */
  readonly colours: Colours | null;
  /** Where the last stroke on this map ended: straight lines go on from there. */
  lastPoint: MapPoint | null;
  /** Asks for what the picture's places have in common; the wand is told when it is there. */
  needLikeness(): void;
  /** Asks the segmenter what the clicks made mean; its tool is told when that is there. */
  needRegion(): void;
  pan(dx: number, dy: number): void;
  /** Takes a value as the brush's strength and goes back to the brush. */
  picked(value: number): void;
  /** The overlay has to be drawn again. */
  redraw(): void;
}

/** Something a tool shows while it works. */
export interface Sketch {
  readonly points: readonly MapPoint[];
  readonly closed: boolean;
}

export interface Tool {
  readonly name: ToolName;
  /** Whether it is in the middle of something that the pointer's next event belongs to. */
  readonly active: boolean;
  readonly sketch: Sketch | null;
  onDown(e: ToolEvent): void;
  onMove(e: ToolEvent): void;
  onUp(e: ToolEvent): void;
  /** The map as it would be if the pointer went on through these places; nothing of it stays. */
  ahead?(events: readonly ToolEvent[]): Float32Array;
  onCancel(): void;
}
