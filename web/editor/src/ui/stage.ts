// What is painted on: its two canvases, their sizes in device pixels, its panes, what of it is drawn anew in a frame, and the pointer's and wheel's events on their
// way to the editor.

import { colourSide, type Colours } from "../colours.ts";
import type { Editor } from "../editor.ts";
import { around, screenPoint, type Region, type ScreenPoint } from "../geometry.ts";
import { pictureURL } from "../api/client.ts";
import type { TaskDetail } from "../api/schema.d.ts";
import type { PointerSample } from "../input/sample.ts";
import { pictureAt } from "../render/ahead.ts";
import { RenderLoop, type Change } from "../render/loop.ts";
import { pencil } from "../render/pencil.ts";
import { drawOverlay, drawPicture, drawSaid, MapPainter, movingOverlay, pictureOnScreen } from "../render/scene.ts";
import { common, Sheet, touched, within, type Pixels } from "../render/sheet.ts";
import type { Selection } from "../selection.ts";
import type { Layout } from "../settings.ts";
import { h } from "./element.ts";
import { Minimap } from "./minimap.ts";
import { clipRightOf, Swipe } from "./swipe.ts";
import { t } from "../words.ts";

const foreseen = 20; // ms: predictions beyond the next frame are guesses

/** A picture's pixels, small enough to be looked through at a click; null where the browser gives none. */
function coloursOf(picture: HTMLImageElement): Colours | null {
  const shrink = Math.min(1, colourSide / Math.max(picture.naturalWidth, picture.naturalHeight));
  const width = Math.max(1, Math.round(picture.naturalWidth * shrink));
  const height = Math.max(1, Math.round(picture.naturalHeight * shrink));
  const canvas = h("canvas", { width, height });
  const g = canvas.getContext("2d", { willReadFrequently: true });
  if (!g) return null;
  g.imageSmoothingQuality = "high";
  g.drawImage(picture, 0, 0, width, height);
  return { width, height, data: g.getImageData(0, 0, width, height).data };
}

/** A part of the stage that shows the picture; all have the same size and the same view of it. */
interface Pane {
  readonly x: number; // CSS pixels from the stage's corner
  readonly y: number;
  readonly map: boolean; // whether the map is over the picture
}

export class Stage {
  readonly element: HTMLElement;
  readonly loop = new RenderLoop((changes) => this.draw(changes));
  private readonly ground = new Sheet(h("canvas.ground", { "aria-hidden": "true" }));
  private readonly front = new Sheet(h("canvas.front", { "aria-hidden": "true" })); // over the ground, as large as the picture
  private readonly photograph = document.createElement("canvas"); // a pane's with the ground around it, drawn anew when picture or view change
  private readonly swipe = new Swipe();
  private readonly minimap: Minimap;
  private readonly painter = new MapPainter();
  private overlay: Region | null = null; // where the moving parts were drawn last
  private pictures: { task: TaskDetail | null; view: HTMLImageElement | null; whole: HTMLImageElement | null } = { task: null, view: null, whole: null };
  private ratio = 1;
  private panes: readonly Pane[] = [{ x: 0, y: 0, map: true }];

  constructor(private readonly editor: Editor, private readonly broken: (what: string) => void) {
    this.minimap = new Minimap(editor);
    this.element = h(
      "div.easel",
      { id: "stage", tabindex: "0", role: "application", "aria-label": t("Attention map"), "aria-describedby": "stage-help", "data-testid": "stage" },
      this.ground.canvas, this.front.canvas, this.swipe.element, this.minimap.element,
    );
    pencil(this.photograph, { alpha: false });
    this.swipe.follow(editor);
    this.listen();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.loop.mark("picture"));
    editor.on("values", () => this.loop.mark("values"));
    editor.on("changed", () => this.refresh());
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  /** Shows another task's pictures. Ends when it is known whether the picture can be drawn; that it can't be shown is said. */
  show(task: TaskDetail): Promise<boolean> {
    const { rows, columns } = this.editor.document;
    const label = task.label_name || task.image.name;
    this.element.setAttribute("aria-label", t("Attention map of {name}, {rows} rows by {columns} columns", { name: label, rows, columns }));
    this.pictures = { task, view: null, whole: null };
    delete this.element.dataset["picture"];
    const loaded = this.load(task, "view");
    this.loop.mark("picture");
    return loaded;
  }

  /** Whether the picture could be loaded. */
  private async load(task: TaskDetail, kind: "view" | "whole"): Promise<boolean> {
    let picture: HTMLImageElement;
    try {
      picture = await pictureAt(pictureURL(task, kind));
    } catch {
      if (this.pictures.task === task) this.broken(t("The picture can't be shown: reload, or skip this task"));
      return false;
    }
    if (this.pictures.task !== task) return true;
    this.pictures[kind] = picture;
    if (kind === "view") this.editor.colours = coloursOf(picture);
    this.element.dataset["picture"] = "shown";
    this.loop.mark("picture");
    return true;
  }

  private shown = { view: "", map: "", selection: null as Selection | null };
  private wholeOf: TaskDetail | null = null; // whose whole picture has been asked for

  /** The editor changed in some way: works out what that concerns. */
  private refresh(): void {
    const { editor } = this;
    const { viewport: v, settings, document: { selection } } = editor;
    const { task, whole } = this.pictures;
    if (editor.showWhole && !whole && task && this.wholeOf !== task) {
      this.wholeOf = task;
      void this.load(task, "whole");
    }
    this.loop.mark("overlay");
    this.element.dataset["tool"] = editor.comparing && editor.tool !== "pan" ? "look" : editor.tool;
    if (this.layout !== settings.get("layout")) this.resize();
    const view = [v.scale, v.offsetX, v.offsetY, v.width, v.height, editor.showWhole].join();
    const map = [
      editor.showModel, editor.showPhotograph, editor.other?.id, editor.hint?.id, editor.showDifference,
      ...(["view", "colorMap", "opacity", "stretch", "swipe", "grid"] as const).map((name) => settings.get(name)),
    ].join();
    if (view !== this.shown.view) this.loop.mark("picture");
    if (map !== this.shown.map || selection !== this.shown.selection) this.loop.mark("map");
    this.shown = { view, map, selection };
  }

  /** The upper left corner of the pane that has the map, in CSS pixels of the stage. */
  get origin(): { readonly x: number; readonly y: number } {
    return this.panes.find((pane) => pane.map) ?? { x: 0, y: 0 };
  }

  private layout: Layout = "over";

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    this.ratio = window.devicePixelRatio || 1;
    this.ground.place({ x: 0, y: 0, width: Math.round(width * this.ratio), height: Math.round(height * this.ratio) }, this.ratio);
    this.layout = this.editor.settings.get("layout");
    const beside = this.layout === "beside";
    const pane = beside ? (width >= height ? { width: width / 2, height } : { width, height: height / 2 }) : { width, height };
    this.panes = beside
      ? [{ x: 0, y: 0, map: false }, { x: width - pane.width, y: height - pane.height, map: true }]
      : [{ x: 0, y: 0, map: true }];
    this.photograph.width = Math.ceil(pane.width * this.ratio);
    this.photograph.height = Math.ceil(pane.height * this.ratio);
    this.editor.resize(pane.width, pane.height);
    this.loop.mark("picture");
  }

  private draw(changes: ReadonlySet<Change>): void {
    if ((window.devicePixelRatio || 1) !== this.ratio) this.resize(); // moved to another screen
    const { editor } = this;
    const moving = movingOverlay(editor);
    const painted = this.painter.update(editor);
    const stretched = painted !== null && editor.settings.get("stretch"); // then a cell's change can be one of all
    let dirty = around(around(this.overlay, moving), painted);
    this.overlay = moving;
    const beyond = moving !== null && this.panes.some((pane) => !within(this.placed(pane, touched(moving, this.ratio)), this.front.at));
    this.ground.canvas.hidden = !beyond; // a browser copies also what did not change, as long as it shows
    if (changes.has("picture")) {
      this.placeFront();
      const g = pencil(this.photograph);
      g.setTransform(1, 0, 0, 1, 0, 0);
      g.fillStyle = getComputedStyle(this.element).backgroundColor;
      g.fillRect(0, 0, this.photograph.width, this.photograph.height);
      g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      drawPicture(g, editor, this.pictures);
      this.minimap.draw(this.pictures.view);
    }
    if (changes.has("picture") || changes.has("map") || stretched) dirty = { x: 0, y: 0, width: editor.viewport.width, height: editor.viewport.height };
    if (editor.settings.get("layout") === "swipe") this.swipe.place(editor);
    if (dirty) for (const pane of this.panes) this.drawPane(pane, dirty);
  }

  /** Lays the front over what the panes show of the picture. */
  private placeFront(): void {
    const { editor, panes, ratio, ground } = this;
    const picture = touched(pictureOnScreen(editor), ratio);
    const shown = panes.map((pane) => {
      const { width, height } = this.photograph;
      return common(this.placed(pane, picture), this.placed(pane, { x: 0, y: 0, width, height }));
    });
    const at = shown.reduce(around, null);
    this.front.place((at && common(at, ground.at)) ?? { x: 0, y: 0, width: 0, height: 0 }, ratio);
  }

  /** The upper left corner of a pane, in whole pixels of the screen. */
  private cornerOf(pane: Pane): { x: number; y: number } {
    return { x: Math.round(pane.x * this.ratio), y: Math.round(pane.y * this.ratio) };
  }

  /** Where on the stage a part of a pane is. */
  private placed(pane: Pane, part: Pixels): Pixels {
    const corner = this.cornerOf(pane);
    return { ...part, x: corner.x + part.x, y: corner.y + part.y };
  }

  /** Draws a part of a pane anew, in whole pixels of the screen. */
  private drawPane(pane: Pane, dirty: Region): void {
    const { ratio, photograph, ground, front } = this;
    const part = common(touched(dirty, ratio), { x: 0, y: 0, width: photograph.width, height: photograph.height });
    if (!part) return;
    const corner = this.cornerOf(pane);
    const there = this.placed(pane, part);
    for (const sheet of within(there, front.at) ? [front] : [ground, front]) {
      const at = common(there, sheet.at);
      if (at) this.drawPart(pane, sheet, { ...at, x: at.x - corner.x, y: at.y - corner.y }, { x: corner.x - sheet.at.x, y: corner.y - sheet.at.y });
    }
  }

  /** Draws a part of a pane on a sheet, on which the pane's corner is at `corner`. */
  private drawPart(pane: Pane, { canvas }: Sheet, { x, y, width, height }: Pixels, corner: { readonly x: number; readonly y: number }): void {
    const { editor, ratio, photograph } = this;
    const g = pencil(canvas);
    g.save();
    g.setTransform(1, 0, 0, 1, corner.x, corner.y);
    g.beginPath();
    g.rect(x, y, width, height);
    g.clip();
    g.imageSmoothingEnabled = false;
    g.drawImage(photograph, x, y, width, height, x, y, width, height);
    g.setTransform(ratio, 0, 0, ratio, corner.x, corner.y);
    if (pane.map && !editor.showPhotograph) {
      g.save();
      if (this.layout === "swipe") clipRightOf(g, this.swipe.at(editor), editor);
      this.painter.draw(g, editor);
      drawSaid(g, editor);
      g.restore();
    }
    drawOverlay(g, editor);
    g.restore();
  }

  private listen(): void {
    const { element, editor } = this;
    element.addEventListener("pointerdown", (e) => {
      element.focus({ preventScroll: true });
      e.preventDefault();
      try {
        element.setPointerCapture(e.pointerId);
      } catch {
        // a pointer that is gone already has nothing to capture
      }
      editor.pointerDown(this.sample(e));
    });
    element.addEventListener("pointermove", (e) => {
      const events = "getCoalescedEvents" in e ? e.getCoalescedEvents() : []; // older Safaris have none
      for (const one of events.length > 0 ? events : [e]) editor.pointerMove(this.sample(one));
      const coming = "getPredictedEvents" in e ? e.getPredictedEvents() : [];
      editor.pointerAhead(coming.filter((one) => one.timeStamp - e.timeStamp <= foreseen).map((one) => this.sample(one)));
    });
    element.addEventListener("pointerup", (e) => editor.pointerUp(this.sample(e)));
    element.addEventListener("pointercancel", (e) => editor.pointerLost(e.pointerId));
    element.addEventListener("lostpointercapture", (e) => editor.pointerLost(e.pointerId));
    element.addEventListener("pointerleave", () => editor.pointerLeft());
    element.addEventListener("contextmenu", (e) => e.preventDefault());
    element.addEventListener("wheel", (e) => {
      e.preventDefault();
      // Notches and pixels alike; a pinch on a trackpad comes as a wheel with Ctrl and small steps.
      const pixels = e.deltaY * (e.deltaMode === 1 ? 16 : 1);
      editor.zoom(Math.exp(-pixels * (e.ctrlKey ? 0.01 : 0.0015)), this.point(e));
    }, { passive: false });
  }

  /** A point of the pane under the pointer; while a stroke is under way, of the pane in which it began. */
  private point(e: MouseEvent): ScreenPoint {
    const box = this.element.getBoundingClientRect();
    const [x, y] = [e.clientX - box.left, e.clientY - box.top];
    if (!this.editor.busy) this.under = this.panes.findLast((pane) => x >= pane.x && y >= pane.y) ?? this.panes[0];
    return screenPoint(x - (this.under?.x ?? 0), y - (this.under?.y ?? 0));
  }

  private under: Pane | undefined;

  private sample(e: PointerEvent): PointerSample {
    const type = this.typeOf(e);
    return {
      id: e.pointerId, type, point: this.point(e), pressure: type === "pen" ? e.pressure : 1,
      button: Math.max(0, e.button), shift: e.shiftKey, alt: e.altKey, time: e.timeStamp,
      contact: type === "touch" ? Math.max(e.width, e.height) : 0,
    };
  }

  /** Some tablets call their pen a mouse. A mouse's pressure is 0, or 0.5 with a button down; whatever says more is a pen. */
  private typeOf(e: PointerEvent): PointerSample["type"] {
    if (e.pointerType === "pen" || e.pointerType === "touch") return e.pointerType;
    if (e.type === "pointerdown") this.pressing = false;
    if (e.pressure > 0 && e.pressure !== 0.5 && e.pressure < 1) this.pressing = true;
    return this.pressing ? "pen" : "mouse";
  }

  private pressing = false; // the last stroke is a pen's that calls itself a mouse
}
