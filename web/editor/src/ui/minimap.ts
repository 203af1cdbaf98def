// The small picture in the corner while the canvas shows a part only: where that part is, and a way to another.

import type { Editor } from "../editor.ts";
import { imagePoint, screenPoint } from "../geometry.ts";
import { pencil } from "../render/pencil.ts";
import { h } from "./element.ts";
import { t } from "../words.ts";

const longest = 120; // CSS pixels of its longer side

export class Minimap {
  readonly element = h("canvas.minimap", { hidden: true, role: "img", "aria-label": t("The whole view, with the part that is shown"), title: t("The part of the picture that is shown: drag to move it"), "data-testid": "minimap" });
  private scale = 1; // CSS pixels per pixel of the picture

  constructor(private readonly editor: Editor) {
    const { element } = this;
    const go = (e: PointerEvent) => {
      e.stopPropagation();
      if (e.type === "pointermove" && !element.hasPointerCapture(e.pointerId)) return;
      const box = element.getBoundingClientRect();
      const { viewport, scene: { region } } = editor;
      const to = viewport.toScreen(imagePoint(region.x + (e.clientX - box.left) / this.scale, region.y + (e.clientY - box.top) / this.scale));
      editor.pan(viewport.width / 2 - to.x, viewport.height / 2 - to.y);
    };
    element.addEventListener("pointerdown", (e) => {
      e.preventDefault();
      element.setPointerCapture(e.pointerId);
      go(e);
    });
    element.addEventListener("pointermove", go);
  }

  /** Draws it anew, or hides it where all of the model's view is on the canvas. */
  draw(picture: CanvasImageSource | null): void {
    const { element, editor: { viewport, scene: { region } } } = this;
    const from = viewport.toImage(screenPoint(0, 0));
    const to = viewport.toImage(screenPoint(viewport.width, viewport.height));
    const all = from.x <= region.x && from.y <= region.y && to.x >= region.x + region.width && to.y >= region.y + region.height;
    element.hidden = all || !picture;
    if (all || !picture) return;
    this.scale = longest / Math.max(region.width, region.height);
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [region.width * this.scale, region.height * this.scale];
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    element.style.width = `${width}px`;
    element.style.height = `${height}px`;
    const g = pencil(element);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.drawImage(picture, 0, 0, width, height);
    const x = (from.x - region.x) * this.scale, y = (from.y - region.y) * this.scale;
    const shown = [x, y, (to.x - from.x) * this.scale, (to.y - from.y) * this.scale] as const;
    g.fillStyle = "rgba(0, 0, 0, 0.5)";
    g.beginPath();
    g.rect(0, 0, width, height);
    g.rect(...shown);
    g.fill("evenodd");
    g.strokeStyle = "#fff";
    g.lineWidth = 1.5;
    g.strokeRect(...shown);
  }
}
