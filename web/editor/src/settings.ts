// A person's settings of brush, view and colour map, kept in localStorage.

import { Emitter } from "./emitter.ts";
import { colorMapNames, type ColorMapName } from "./colormap.ts";
import { layers, type Layer } from "./marks.ts";
import { brushModes, type BrushMode } from "./mode.ts";
import { toolNames, type ToolName } from "./tools/names.ts";

export const views = ["cells", "smooth", "contours", "spotlight", "marks"] as const;
export type View = (typeof views)[number];

/** Where the map is: over all of the picture, over what lies right of a line that is moved, or over a second picture beside a bare one. */
export const layouts = ["over", "swipe", "beside"] as const;
export type Layout = (typeof layouts)[number];

export const pressures = ["off", "size", "strength"] as const;
export type Pressure = (typeof pressures)[number];

export const fingerUses = ["paint", "pan"] as const;
export type Fingers = (typeof fingerUses)[number];

export const wandUses = ["add", "take"] as const;
export type WandUse = (typeof wandUses)[number];

export const floodWays = ["value", "colour"] as const;
export type FloodBy = (typeof floodWays)[number];

export const smallestSize = 0.25; // of the brush, in cells across

export interface SettingsValues {
  size: number; // of the brush, in cells across: [smallestSize, 64]
  hardness: number; // [0,1]
  strength: number; // [0,1]: what the brush paints, adds or takes away
  other: number; // [0,1]: the strength that X swaps in
  mode: BrushMode;
  layer: Layer; // what is painted: values, or marks; values again with every picture
  straight: boolean; // strokes are straight lines without Shift too
  pressure: Pressure; // what a pen's pressure acts on
  stabilising: number; // how much the paint lags behind to steady the hand: [0,1]
  pen: boolean; // a pen has been seen in this browser
  fingers: Fingers; // what a touch does
  floodBy: FloodBy; // what the flood fill goes by
  wand: WandUse; // what a click with the wand does; Alt does the other
  alikeness: number; // the cosine from which on the wand selects: [-1,1]
  tolerance: number; // of the flood fill by value: [0,1]
  colourTolerance: number; // of the flood fill by colour, of each of red, green and blue: [0,1]
  view: View;
  colorMap: ColorMapName;
  opacity: number; // of the map over the picture: [0,1]
  stretch: boolean; // colours go from the least to the largest value of the map, not from 0 to 1
  layout: Layout;
  swipe: number; // up to which part of the model's view, across, the photograph is bare: [0,1]
  grid: boolean;
  tool: ToolName; // the one that was chosen last
  zoom: number; // of the view over the one that fits: [0.1, 64]; 1: it fits
  zoomX: number; // what of the model's view is in the middle, as a share of its width: [-1, 2]
  zoomY: number;
  keys: string; // the keys of this person's own, as a Keymap writes them
  singleKeys: boolean; // whether keys without Ctrl or Alt do anything
  brushPanel: boolean; // whether it is open
  viewPanel: boolean;
  strokesPanel: boolean;
}

export const defaults: Readonly<SettingsValues> = {
  size: 2.5, hardness: 0.5, strength: 1, other: 0, mode: "set", layer: "values", straight: false, pressure: "size", stabilising: 0, pen: false, fingers: "paint", wand: "add", alikeness: 0.25, floodBy: "value", tolerance: 0.1, colourTolerance: 0.12,
  view: "smooth", colorMap: "viridis", opacity: 0.45, stretch: false, layout: "over", swipe: 0.5, grid: false, tool: "brush", zoom: 1, zoomX: 0.5, zoomY: 0.5, keys: "{}", singleKeys: true, brushPanel: true, viewPanel: true, strokesPanel: true,
};

const limits: Partial<Record<keyof SettingsValues, readonly [number, number]>> = {
  size: [smallestSize, 64], hardness: [0, 1], strength: [0, 1], other: [0, 1], stabilising: [0, 1], tolerance: [0, 1], alikeness: [-1, 1], colourTolerance: [0, 1], opacity: [0, 1], swipe: [0, 1], zoom: [0.1, 64], zoomX: [-1, 2], zoomY: [-1, 2],
};
const choices: Partial<Record<keyof SettingsValues, readonly string[]>> = {
  mode: brushModes, layer: layers, pressure: pressures, fingers: fingerUses, floodBy: floodWays, wand: wandUses, view: views, layout: layouts, colorMap: colorMapNames, tool: toolNames,
};

const key = "abn-editor/settings";

export class Settings extends Emitter<{ changed: keyof SettingsValues }> {
  private readonly values: SettingsValues = { ...defaults };

  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem"> | null) {
    super();
    try {
      const stored = JSON.parse(storage?.getItem(key) ?? "{}") as Record<string, unknown>;
      for (const name of Object.keys(defaults) as (keyof SettingsValues)[]) this.accept(name, stored[name]);
    } catch {
      // unreadable settings are ignored
    }
  }

  get<K extends keyof SettingsValues>(name: K): SettingsValues[K] {
    return this.values[name];
  }

  set<K extends keyof SettingsValues>(name: K, value: SettingsValues[K]): void {
    const before = this.values[name];
    this.accept(name, value);
    if (this.values[name] === before) return;
    try {
      this.storage?.setItem(key, JSON.stringify(this.values));
    } catch {
      // if the storage is full or forbidden, only the settings are lost
    }
    this.emit("changed", name);
  }

  /** Takes a value if it is one this setting can have. */
  private accept(name: keyof SettingsValues, value: unknown): void {
    if (typeof value !== typeof defaults[name]) return;
    const limit = limits[name];
    if (limit) {
      if (!Number.isFinite(value)) return;
      value = Math.min(limit[1], Math.max(limit[0], value as number));
    }
    if (choices[name] && !choices[name].includes(value as string)) return;
    (this.values as unknown as Record<string, unknown>)[name] = value;
  }
}
