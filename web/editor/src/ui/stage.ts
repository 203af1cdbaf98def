// The canvas: three stacked layers, their size in device pixels, and the pointer's, wheel's and keyboard's events
// on their way to the editor.

import { colourSide, type Colours } from "../colours.ts";
import type { Editor } from "../editor.ts";
import { screenPoint, type ScreenPoint } from "../geometry.ts";
import { pictureURL } from "../api/client.ts";
import type { TaskDetail } from "../api/schema.d.ts";
import type { PointerSample } from "../input/sample.ts";
import { RenderLoop, type Layer } from "../render/loop.ts";
import { pencil } from "../render/pencil.ts";
import { drawOverlay, drawPicture, MapPainter } from "../render/scene.ts";
import { h } from "./element.ts";

const foreseen = 20; // ms: predictions beyond the next frame are guesses

const layers: readonly Layer[] = ["picture", "map", "overlay"];

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

export class Stage {
  readonly element: HTMLElement;
  readonly loop = new RenderLoop((layer) => this.draw(layer));
  private readonly canvases: Record<Layer, HTMLCanvasElement>;
  private readonly painter = new MapPainter();
  private pictures: { task: TaskDetail | null; view: HTMLImageElement | null; whole: HTMLImageElement | null } = { task: null, view: null, whole: null };
  private ratio = 1;

  constructor(private readonly editor: Editor, private readonly broken: (what: string) => void) {
    const canvas = (layer: Layer) => h(`canvas.stage-${layer}`, { "aria-hidden": "true" });
    this.canvases = { picture: canvas("picture"), map: canvas("map"), overlay: canvas("overlay") };
    this.element = h(
      "div.easel",
      { id: "stage", tabindex: "0", role: "application", "aria-label": "Attention map", "aria-describedby": "stage-help", "data-testid": "stage" },
      ...layers.map((layer) => this.canvases[layer]),
    );
    this.listen();
    editor.on("values", () => this.loop.mark("map"));
    editor.on("changed", () => this.refresh());
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  /** Shows another task's pictures. */
  show(task: TaskDetail): void {
    const { rows, columns } = this.editor.document;
    const label = task.label_name || task.image.name;
    this.element.setAttribute("aria-label", `Attention map of ${label}, ${rows} rows by ${columns} columns`);
    this.pictures = { task, view: null, whole: null };
    delete this.element.dataset["picture"];
    void this.load(task, "view");
    this.loop.mark(...layers);
  }

  private async load(task: TaskDetail, kind: "view" | "whole"): Promise<void> {
    const picture = new Image();
    picture.src = pictureURL(task, kind);
    try {
      await picture.decode();
    } catch {
      if (this.pictures.task === task) this.broken("The picture can't be shown: reload, or skip this task");
      return;
    }
    if (this.pictures.task !== task) return;
    this.pictures[kind] = picture;
    if (kind === "view") this.editor.colours = coloursOf(picture);
    this.element.dataset["picture"] = "shown";
    this.loop.mark("picture");
  }

  private shown = "";
  private wholeOf: TaskDetail | null = null; // whose whole picture has been asked for

  /** The editor changed in some way: works out which layers that concerns. */
  private refresh(): void {
    const { editor } = this;
    const { viewport: v, settings } = editor;
    const { task, whole } = this.pictures;
    if (editor.showWhole && !whole && task && this.wholeOf !== task) {
      this.wholeOf = task;
      void this.load(task, "whole");
    }
    const view = `${v.scale} ${v.offsetX} ${v.offsetY} ${v.width} ${v.height} ${editor.showWhole}`;
    const map = `${editor.showModel} ${editor.showPhotograph} ${editor.other?.id} ${editor.showDifference} ${settings.get("view")} ${settings.get("colorMap")} ${settings.get("opacity")}`;
    const now = `${view}|${map}`;
    this.loop.mark("overlay");
    this.element.dataset["tool"] = editor.comparing && editor.tool !== "pan" ? "look" : editor.tool;
    if (now === this.shown) return;
    if (!this.shown.startsWith(`${view}|`)) this.loop.mark("picture");
    this.shown = now;
    this.loop.mark("map");
    const opaque = ["spotlight", "contours"].includes(settings.get("view")) && (!editor.showDifference || editor.other !== null);
    this.canvases.map.style.opacity = String(opaque ? 1 : settings.get("opacity"));
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    this.ratio = window.devicePixelRatio || 1;
    for (const layer of layers) {
      this.canvases[layer].width = Math.round(width * this.ratio);
      this.canvases[layer].height = Math.round(height * this.ratio);
    }
    this.editor.resize(width, height);
    this.loop.mark(...layers);
  }

  private draw(layer: Layer): void {
    if ((window.devicePixelRatio || 1) !== this.ratio) this.resize(); // moved to another screen
    const canvas = this.canvases[layer];
    const g = pencil(canvas);
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.clearRect(0, 0, canvas.width, canvas.height);
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (layer === "picture") drawPicture(g, this.editor, this.pictures);
    else if (layer === "map") this.painter.draw(g, this.editor);
    else drawOverlay(g, this.editor);
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

  private point(e: MouseEvent): ScreenPoint {
    const box = this.element.getBoundingClientRect();
    return screenPoint(e.clientX - box.left, e.clientY - box.top);
  }

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
