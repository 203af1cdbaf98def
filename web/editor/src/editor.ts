// The editor without a screen: a document, tools, a view of it, and what the pointer does (input/keys.ts has what keys
// do). The browser's interface draws it and feeds it; tests drive it directly.

import { regionBetween, type CellRegion } from "./cell_region.ts";
import type { Colours } from "./colours.ts";
import { MapDocument } from "./document.ts";
import { Emitter } from "./emitter.ts";
import { imagePoint, Placement, Viewport, screenPoint, type MapPoint, type Region, type ScreenPoint } from "./geometry.ts";
import { clampValue } from "./grid.ts";
import { PointerChain } from "./input/pointer.ts";
import type { PointerSample } from "./input/sample.ts";
import { layers, markWords } from "./marks.ts";
import { oppositeMode } from "./mode.ts";
import type { Segment } from "./api/schema.d.ts";
import type { Click, Likeness } from "./likeness.ts";
import type { HintMap, OtherMap } from "./other_map.ts";
import { painting } from "./painting.ts";
import { smallestSize, type Settings } from "./settings.ts";
import { BrushTool } from "./tools/brush.ts";
import { FloodTool, PickTool } from "./tools/click.ts";
import { PanTool } from "./tools/pan.ts";
import { BoxTool, EllipseTool, LassoTool } from "./tools/shape.ts";
import { SegmentTool } from "./tools/segment.ts";
import { WandTool } from "./tools/wand.ts";
import type { ToolName } from "./tools/names.ts";
import type { Tool, ToolContext, ToolEvent } from "./tools/tool.ts";
import { runWhole, withGamma, type WholeOperation } from "./whole.ts";
import { later, t } from "./words.ts";

/** What the editor asks of whoever runs it. */
export type Command = "likeness" | "region" | "segmenter" | "hint" | "submit" | "confirm" | "skip" | "label" | "save" | "help" | "next-map" | "previous-map" | "own-map" | "older" | "newer";

export interface EditorEvents {
  opened: undefined;
  /** Values changed, perhaps in the middle of a stroke. */
  values: undefined;
  /** A step was made, undone or redone. */
  settled: undefined;
  /** Tool, view, selection, hover or cell cursor: something to draw or to show has changed. */
  changed: undefined;
  /** The cell cursor moved or its cell changed: say it. */
  cell: number;
  command: Command;
  /** One sentence for the status line and for screen readers. */
  notice: string;
}

/** What the pictures need besides the map. */
export interface Scene {
  readonly region: Region; // the model's view, in pixels of the oriented original
  readonly whole: Region; // the oriented original
}

/** A tool's key that is lifted within so many ms has chosen the tool for good. */
export const tapTime = 300;
const hardnessWay = 200; // CSS pixels of a drag from soft to hard
const gammaStep = 1.25; // of a press of its key

export class Editor extends Emitter<EditorEvents> implements ToolContext {
  document: MapDocument;
  placement: Placement;
  scene: Scene;
  viewport: Viewport;
  readOnly = false;
  /** Another map is looked at (comparison.ts): nothing is painted. */
  comparing = false;
  /** What is drawn in place of the document's map. */
  other: OtherMap | null = null;
  /** What would help, drawn in place of the map while it is painted; the map is lines over it. */
  hint: HintMap | null = null;
  /** C is held: the model's own map is shown. */
  showModel = false;
  showPhotograph = false;
  showDifference = false;
  showWhole = false;
  /** Where a pointer is; null when it is elsewhere, or a finger. */
  hover: ScreenPoint | null = null;
  /** The cell the keyboard is on; -1 until arrows are used. */
  cell = -1;
  /** The pen's pressure right now, which the cursor shows; 1 elsewhere. */
  pressure = 1;
  /** The map with the paint that the pointer's predicted way would add; null: there is none. */
  ahead: Float32Array | null = null;
  colours: Colours | null = null;
  lastPoint: MapPoint | null = null;
  /** Shift is held: the brush would paint a straight line. */
  shift = false;
  /** Where the brush is being sized: its ring stays there. */
  sizing: ScreenPoint | null = null;
  private readonly tools: Record<ToolName, Tool>;
  private readonly wand = new WandTool(this);
  private readonly segment = new SegmentTool(this);
  private chosen: ToolName;
  private before: ToolName = "brush"; // the tool that the picker goes back to
  private panning = false; // Space is held
  private held: { readonly key: string; readonly back: ToolName; readonly since: number; used: boolean } | null = null; // a tool's key
  private sizedFrom = { size: 1, hardness: 1 };
  private strokeTool: Tool | null = null;
  private view: "fitted" | "kept" | "own" = "fitted"; // the picture whole, as the settings have it, or as somebody has moved it since
  private opened = false;
  private readonly chain: PointerChain;
  private unsubscribe: (() => void)[] = [];

  constructor(
    readonly settings: Settings,
    /** Whether the studio has a segmenter: without one its tool is not there. */
    readonly segmenter = false,
  ) {
    super();
    this.chosen = settings.get("tool");
    if (!this.has(this.chosen)) this.chosen = "brush";
    this.document = new MapDocument(1, 1, new Float32Array(1));
    this.placement = new Placement({ x: 0, y: 0, width: 1, height: 1 }, 1, 1);
    this.scene = { region: this.placement.region, whole: this.placement.region };
    this.viewport = Viewport.fit(100, 100, this.scene.region);
    this.tools = {
      brush: new BrushTool("brush", this),
      eraser: new BrushTool("eraser", this),
      smooth: new BrushTool("smooth", this),
      lasso: new LassoTool(this),
      box: new BoxTool(this),
      ellipse: new EllipseTool(this),
      wand: this.wand,
      segment: this.segment,
      flood: new FloodTool(this),
      pick: new PickTool(this),
      pan: new PanTool(this),
    };
    this.chain = new PointerChain({
      down: (s) => this.strokeDown(s),
      move: (s) => {
        if (this.sizing) return this.resizeBrush(s.point);
        this.strokeTool?.onMove(this.toolEvent(s));
        this.redraw();
      },
      up: (s) => {
        this.ahead = null;
        this.sizing = null;
        this.strokeTool?.onUp(this.toolEvent(s));
        this.strokeTool = null;
        if (this.held === null && this.returning) this.comeBack();
      },
      cancel: () => {
        this.ahead = this.sizing = null;
        this.strokeTool?.onCancel();
        this.strokeTool = null;
      },
      pinch: (from, to, factor) => {
        this.setViewport(this.viewport.panned(to.x - from.x, to.y - from.y).zoomed(factor, to));
      },
    }, {
      get fingersPaint() { return settings.get("fingers") === "paint"; },
      get stabilising() { return settings.get("stabilising"); },
    });
    settings.on("changed", (name) => {
      if (name === "alikeness") this.wand.select();
      this.redraw();
    });
  }

  /** Starts on another map. */
  open(document: MapDocument, scene: Scene): void {
    this.cancel();
    this.keepView();
    for (const stop of this.unsubscribe) stop();
    this.document = document;
    this.scene = scene;
    this.placement = new Placement(scene.region, document.rows, document.columns);
    this.showModel = this.showPhotograph = this.showDifference = this.showWhole = false;
    this.cell = -1;
    this.colours = this.lastPoint = this.ahead = null;
    this.wand.know(null);
    this.segment.forget();
    this.settings.set("layer", "values"); // marks are rare, and a brush that still marks would surprise
    this.unsubscribe = [
      document.on("values", () => this.emit("values", undefined)),
      document.on("settled", () => this.emit("settled", undefined)),
      document.on("selection", () => {
        const { edges, segmenter } = document.selection ?? {};
        if (!edges || segmenter) this.wand.forget();
        if (!segmenter) this.segment.forget();
        this.redraw();
      }),
    ];
    this.viewAgain();
    this.opened = true;
    this.emit("opened", undefined);
    this.emit("values", undefined);
  }

  // --- tools

  get tool(): ToolName {
    return this.panning ? "pan" : this.chosen;
  }

  get activeTool(): Tool {
    return this.tools[this.tool];
  }

  get busy(): boolean {
    return this.chain.stroking;
  }

  has(tool: ToolName): boolean {
    return tool !== "segment" || this.segmenter;
  }

  choose(tool: ToolName): void {
    if (!this.has(tool)) return;
    this.cancel();
    if (tool === "pick" && this.chosen !== "pick") this.before = this.chosen;
    this.chosen = tool;
    if (tool !== "pick") this.settings.set("tool", tool);
    if (tool === "segment") this.emit("command", "segmenter");
    this.redraw();
  }

  /** A tool's key went down: the tool is there, for good after a tap, and until the key is lifted where it is held or used meanwhile. */
  holdTool(tool: ToolName, key: string): void {
    if (!this.has(tool)) return;
    const back = this.chosen;
    this.returning = null;
    this.choose(tool);
    this.held = { key, back, since: performance.now(), used: false };
  }

  /** A key was lifted; the tool before comes back if the key was its. */
  releaseTool(key: string): void {
    const { held } = this;
    if (held?.key !== key) return;
    this.held = null;
    if (!held.used && performance.now() - held.since < tapTime) return;
    this.returning = held.back;
    if (!this.busy) this.comeBack();
  }

  /** The window lost its focus: no key is held any more. */
  letGo(): void {
    this.holdShift(false);
    if (this.held) this.releaseTool(this.held.key);
  }

  private returning: ToolName | null = null; // the tool that comes back when the stroke is done

  private comeBack(): void {
    if (this.returning) this.settings.set("tool", this.chosen = this.returning);
    this.returning = null;
    this.redraw();
  }

  holdShift(held: boolean): void {
    if (this.shift === held) return;
    this.shift = held;
    this.redraw();
  }

  holdPan(held: boolean): void {
    if (this.panning === held) return;
    if (!this.busy) this.panning = held;
    else if (!held) this.panning = false;
    this.redraw();
  }

  needLikeness(): void {
    this.emit("command", "likeness");
  }

  /** What the picture's places have in common has come. */
  knowLikeness(likeness: Likeness): void {
    this.wand.know(likeness);
    this.redraw();
  }

  needRegion(): void {
    this.emit("command", "region");
  }

  /** The places that the segmenter is to answer. */
  get segmentClicks(): readonly Click[] {
    return this.segment.clicks;
  }

  /** What clicks mean to the segmenter has come; null: no answer will. */
  knowRegion(clicks: readonly Click[], region: Segment | null): void {
    if (region) this.segment.show(clicks, region);
    else this.segment.giveUp();
    this.redraw();
  }

  /** How many places the wand was clicked at for the present selection. */
  get wandClicks(): number {
    return this.wand.clicks.length;
  }

  /** X: paints the opposite. Set swaps its strength with the other one; add and subtract swap. */
  swap(): void {
    const { settings } = this;
    const mode = settings.get("mode");
    if (mode !== "set") return settings.set("mode", oppositeMode(mode));
    const strength = settings.get("strength");
    settings.set("strength", settings.get("other"));
    settings.set("other", strength);
  }

  /** N: paints values, then each of the marks in turn. */
  nextLayer(): void {
    const now = layers.indexOf(this.settings.get("layer"));
    const layer = layers[(now + 1) % layers.length] ?? "values";
    this.settings.set("layer", layer);
    this.emit("notice", layer === "values" ? t("painting values") : t("marking: {mark}", { mark: markWords[layer] }));
  }

  /** I: takes the value under the pointer or the cell cursor, or else waits for a click. */
  pick(): void {
    const cell = this.hover ? this.placement.cellAt(this.toMap(this.hover)) : this.cell;
    if (cell >= 0) this.picked(this.document.values[cell] ?? 0);
    else this.choose("pick");
  }

  picked(value: number): void {
    this.settings.set("strength", value);
    if (this.chosen === "pick") this.chosen = this.before === "eraser" || this.before === "smooth" ? "brush" : this.before;
    this.emit("notice", t("strength {value}", { value: value.toFixed(2) }));
    this.redraw();
  }

  /** Runs an operation on the whole map, or on the selection; `again` while its key is held. */
  whole(operation: WholeOperation, again = false): void {
    if (this.refused()) return;
    this.cancel();
    if (operation === "fill") return this.fill();
    const refusal = runWhole(operation, this.document, { gamma: gammaStep, again });
    if (refusal) this.emit("notice", refusal);
    else this.tellCell();
  }

  /** Shows what a gamma would make of the map; 1 shows the map as it is. */
  previewGamma(gamma: number): void {
    this.ahead = gamma === 1 || this.readOnly || this.comparing ? null : withGamma(this.document, gamma);
    this.emit("values", undefined);
  }

  applyGamma(gamma: number): void {
    if (this.refused()) return;
    this.cancel();
    this.ahead = null;
    if (gamma !== 1) runWhole("gamma", this.document, { gamma, again: false });
    this.tellCell();
  }

  /** Paints the selection, or the whole map where there is none, as the brush does, or erases it. */
  fill(erase = false): void {
    if (this.refused()) return;
    const { settings, document } = this;
    const { mode, strength, label } = painting(settings, erase);
    const stroke = erase && !label
      ? document.begin(later("Erase inside"), { mode: "set", strength: 0, hardness: 1 }, 1)
      : document.begin(label ?? (document.selection ? later("Fill") : later("Fill all")), { mode, strength, hardness: 1 }, 1);
    stroke.fill(new Float32Array(document.values.length).fill(1));
    document.commit();
    this.tellCell();
  }

  deselect(): void {
    this.document.select(null);
  }

  undo(): void {
    if (this.refused()) return;
    if (this.document.undo()) this.tellCell();
    else this.emit("notice", t("Nothing to undo"));
  }

  redo(): void {
    if (this.refused()) return;
    if (this.document.redo()) this.tellCell();
    else this.emit("notice", t("Nothing to redo"));
  }

  travel(position: number): void {
    if (this.refused()) return;
    this.document.travel(position);
    this.tellCell();
  }

  /** Says what the keyboard's cell is now, to whoever paints by keyboard. */
  private tellCell(): void {
    if (this.cell >= 0) this.emit("cell", this.cell);
  }

  /** Where the brush's ring is: where the paint is while a stroke is under way, else where the pointer is. */
  get ring(): ScreenPoint | null {
    return this.sizing ?? (this.hover && (this.chain.at ?? this.hover));
  }

  /** Gives up a stroke under way. */
  cancel(): void {
    this.chain.cancel();
    this.document.cancel();
  }

  // --- the keyboard's cell

  moveCell(rows: number, columns: number): void {
    this.step(rows, columns);
    if (this.region) this.document.select(null);
    this.emit("cell", this.cell);
    this.redraw();
  }

  /** Selects the cells from the one that the keyboard was on to the one that it moves to. */
  extendRegion(rows: number, columns: number): void {
    const from = this.region?.from ?? this.cell;
    this.step(from < 0 ? 0 : rows, from < 0 ? 0 : columns);
    this.extended = regionBetween(from < 0 ? this.cell : from, this.cell, this.document.rows, this.document.columns);
    this.document.select(this.extended.selection);
    this.emit("cell", this.cell);
  }

  /** What the keyboard has selected, while it is selected. */
  get region(): CellRegion | null {
    return this.extended && this.document.selection === this.extended.selection ? this.extended : null;
  }

  private extended: CellRegion | null = null;

  private step(rows: number, columns: number): void {
    const { document } = this;
    const clamp = (v: number, limit: number) => Math.min(limit - 1, Math.max(0, v));
    if (this.cell < 0) this.cell = Math.floor(document.rows / 2) * document.columns + Math.floor(document.columns / 2);
    else this.cell = clamp(Math.floor(this.cell / document.columns) + rows, document.rows) * document.columns + clamp((this.cell % document.columns) + columns, document.columns);
  }

  /** Changes the keyboard's cell, or all cells of its region, by `by`; `again` while the key is held down. */
  nudge(by: number, again: boolean): void {
    if (this.refused()) return;
    if (this.cell < 0) return this.moveCell(0, 0);
    const { document, region } = this;
    // Rounded to the step, so that ten presses of + from 0 make exactly 1.
    const nudged = (v: number) => clampValue(Math.round((v + by) * 1000) / 1000);
    if (region) {
      const inside = (i: number) => (region.selection.coverage[i] ?? 0) > 0;
      document.replace(later("Cells"), document.values.map((v, i) => (inside(i) ? nudged(v) : v)), "painted", again, document.marks.map((mark, i) => (inside(i) ? 0 : mark)));
    } else document.setCell(later("Cell"), this.cell, nudged(document.values[this.cell] ?? 0), again);
    this.emit("cell", this.cell);
  }

  /** The tool used on the keyboard's cell: a dab, a straight line to it from where the last stroke ended, or a click, with Alt as `other`. */
  dabCell(straight = false, other = false): void {
    if (this.refused() || this.cell < 0) return;
    const tool = this.tools[this.chosen];
    const { columns } = this.document;
    const map = { x: (this.cell % columns) + 0.5, y: Math.floor(this.cell / columns) + 0.5 } as MapPoint;
    const e: ToolEvent = { screen: this.toScreen(map), map, pressure: 1, shift: straight, alt: other };
    tool.onDown(e);
    tool.onUp(e);
    this.emit("cell", this.cell);
  }

  // --- view

  toMap(p: ScreenPoint): MapPoint {
    return this.placement.toMap(this.viewport.toImage(p));
  }

  toScreen(p: MapPoint): ScreenPoint {
    return this.viewport.toScreen(this.placement.toImage(p));
  }

  pan(dx: number, dy: number): void {
    this.setViewport(this.viewport.panned(dx, dy));
  }

  zoom(factor: number, at?: ScreenPoint): void {
    this.setViewport(this.viewport.zoomed(factor, at ?? screenPoint(this.viewport.width / 2, this.viewport.height / 2)));
  }

  fit(): void {
    const region = this.showWhole ? this.scene.whole : this.scene.region;
    this.viewport = Viewport.fit(this.viewport.width, this.viewport.height, region);
    this.view = "fitted";
    this.redraw();
  }

  /** Keeps how the picture is zoomed, for the next one and for the next visit. */
  keepView(): void {
    if (!this.opened) return;
    const { viewport, settings, scene: { region }, showWhole } = this;
    if (showWhole) return;
    const middle = viewport.toImage(screenPoint(viewport.width / 2, viewport.height / 2));
    const hundredth = (v: number) => Math.round(v * 100) / 100;
    const fitted = this.view === "fitted";
    settings.set("zoom", fitted ? 1 : viewport.scale / Viewport.fit(viewport.width, viewport.height, region).scale);
    settings.set("zoomX", fitted ? 0.5 : hundredth((middle.x - region.x) / region.width));
    settings.set("zoomY", fitted ? 0.5 : hundredth((middle.y - region.y) / region.height));
  }

  /** Shows the picture whole, or zoomed as keepView found it. */
  private viewAgain(): void {
    const { settings, scene: { region } } = this;
    this.fit();
    if (settings.get("zoom") === 1) return;
    const zoomed = this.viewport.zoomed(settings.get("zoom"), screenPoint(0, 0));
    const at = zoomed.toScreen(imagePoint(region.x + settings.get("zoomX") * region.width, region.y + settings.get("zoomY") * region.height));
    this.setViewport(zoomed.panned(zoomed.width / 2 - at.x, zoomed.height / 2 - at.y));
    this.view = "kept";
  }

  resize(width: number, height: number): void {
    if (width <= 0 || height <= 0) return;
    this.viewport = this.viewport.resized(width, height);
    if (this.view === "fitted") this.fit();
    else if (this.view === "kept") this.viewAgain(); // what is kept is a share of the view that fits
    else this.redraw();
  }

  toggleWhole(): void {
    this.showWhole = !this.showWhole;
    this.fit();
  }

  toggleDifference(): void {
    this.showDifference = !this.showDifference;
    if (this.hint && this.showDifference) this.emit("command", "hint"); // one of the two
    this.redraw();
  }

  holdModel(held: boolean): void {
    if (this.showModel === held) return;
    this.showModel = held;
    this.redraw();
  }

  /** The photograph alone, without map, grid and outlines, while a key or a button is held. */
  holdPhotograph(held: boolean): void {
    if (this.showPhotograph === held) return;
    this.showPhotograph = held;
    this.redraw();
  }

  redraw(): void {
    this.emit("changed", undefined);
  }

  // --- input

  pointerDown(s: PointerSample): void {
    this.saw(s);
    this.shift = s.shift;
    if (this.held) this.held.used = true;
    this.cell = -1;
    this.pressure = s.pressure;
    this.chain.down(s);
  }

  pointerMove(s: PointerSample): void {
    this.saw(s);
    if (s.type !== "touch") {
      this.hover = s.point;
      this.shift = s.shift;
      this.pressure = s.type === "pen" && this.busy ? s.pressure : 1;
    } else if (!this.busy) this.hover = null;
    this.ahead = null;
    this.chain.move(s);
    this.redraw();
  }

  pointerUp(s: PointerSample): void {
    this.pressure = 1;
    this.chain.up(s);
  }

  pointerLost(id: number): void {
    this.chain.lost(id);
  }

  pointerLeft(): void {
    this.hover = null;
    this.redraw();
  }

  /** Where the pointer will be in a moment, as the browser predicts it: paint is shown there, and not kept. */
  pointerAhead(samples: readonly PointerSample[]): void {
    const tool = this.strokeTool;
    const paints = tool && samples.length > 0 && this.settings.get("stabilising") === 0;
    this.ahead = paints ? (tool.ahead?.(samples.map((s) => this.toolEvent(s))) ?? null) : null;
  }

  /** The first pen that is seen makes fingers move the picture from then on; the switch is beside the brush. */
  private saw(s: PointerSample): void {
    if (s.type !== "pen" || this.settings.get("pen")) return;
    this.settings.set("pen", true);
    this.settings.set("fingers", "pan");
  }

  private setViewport(viewport: Viewport): void {
    this.viewport = viewport;
    this.view = "own";
    this.redraw();
  }

  private refused(): boolean {
    if (this.readOnly) this.emit("notice", t("This map can be looked at, not changed"));
    else if (this.comparing) this.emit("notice", t("Another map is shown: Esc leads back to the one that is painted"));
    return this.readOnly || this.comparing;
  }

  private strokeDown(s: PointerSample): void {
    const pan = s.button === 1 || this.tool === "pan";
    const eraserEnd = s.type === "pen" && s.button === 5;
    if (s.button === 2 && s.alt) return this.beginSizing(s.point);
    if (!pan && !eraserEnd && s.button !== 0) return;
    if (!pan && s.alt && this.tool !== "wand" && this.tool !== "segment") return this.pickAt(s.point);
    if (!pan && this.tool !== "pick" && this.refused()) return;
    if (this.settings.get("view") === "marks" && this.settings.get("layer") === "values" && this.tools[this.chosen] instanceof BrushTool && !pan) this.emit("notice", t("The view “Marks” shows no values: choose another to see what you paint"));
    this.strokeTool = pan ? this.tools.pan : eraserEnd ? this.tools.eraser : this.tools[this.chosen];
    this.strokeTool.onDown(this.toolEvent(s));
  }

  /** Alt and the right button: to the side is the brush's size, up and down its hardness. */
  private beginSizing(at: ScreenPoint): void {
    this.sizing = at;
    this.sizedFrom = { size: this.settings.get("size"), hardness: this.settings.get("hardness") };
    this.redraw();
  }

  private resizeBrush(to: ScreenPoint): void {
    if (!this.sizing) return;
    const { size, hardness } = this.sizedFrom;
    this.settings.set("size", Math.round(Math.max(smallestSize, size + (2 * (to.x - this.sizing.x)) / this.cellOnScreen) * 100) / 100);
    this.settings.set("hardness", Math.round((hardness - (to.y - this.sizing.y) / hardnessWay) * 100) / 100);
  }

  /** CSS pixels across a cell of the mean side. */
  get cellOnScreen(): number {
    return Math.sqrt(this.placement.cellWidth * this.placement.cellHeight) * this.viewport.scale;
  }

  private pickAt(p: ScreenPoint): void {
    const cell = this.placement.cellAt(this.toMap(p));
    if (cell >= 0) this.picked(this.document.values[cell] ?? 0);
  }

  private toolEvent(s: PointerSample): ToolEvent {
    return { screen: s.point, map: this.toMap(s.point), pressure: s.pressure, shift: s.shift || (this.settings.get("straight") && this.strokeTool instanceof BrushTool), alt: s.alt };
  }
}
