// The line of the swipe: left of it the photograph is bare, right of it the map lies over it. A hand moves it by its handle, a keyboard by arrows.

import type { Editor } from "../editor.ts";
import { imagePoint, screenPoint } from "../geometry.ts";
import { h } from "./element.ts";
import { t } from "../words.ts";

const step = 0.05; // of the model's view, a press of an arrow

export class Swipe {
  readonly element = h(
    "div.swipe", { role: "slider", tabindex: "0", hidden: true, "aria-label": t("Where the map begins"), "aria-valuemin": "0", "aria-valuemax": "100", "data-testid": "swipe" },
  );

  /** Shows the line where the layout has one, and moves it as the hand does. */
  follow(editor: Editor): void {
    const { element } = this;
    const { settings } = editor;
    const show = () => {
      element.hidden = settings.get("layout") !== "swipe";
      element.setAttribute("aria-valuenow", String(Math.round(settings.get("swipe") * 100)));
    };
    settings.on("changed", show);
    show();
    element.addEventListener("pointerdown", (e) => {
      e.stopPropagation();
      e.preventDefault();
      element.focus({ preventScroll: true });
      element.setPointerCapture(e.pointerId);
    });
    element.addEventListener("pointermove", (e) => {
      e.stopPropagation();
      if (!element.hasPointerCapture(e.pointerId)) return;
      const { region } = editor.scene;
      const left = element.parentElement?.getBoundingClientRect().left ?? 0;
      settings.set("swipe", (editor.viewport.toImage(screenPoint(e.clientX - left, 0)).x - region.x) / region.width);
    });
    element.addEventListener("keydown", (e) => {
      const to = { ArrowLeft: -step, ArrowRight: step, Home: -1, End: 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      e.stopPropagation();
      settings.set("swipe", settings.get("swipe") + to);
    });
  }

  /** Where the line is, in CSS pixels from the left. */
  at(editor: Editor): number {
    const { region } = editor.scene;
    return editor.viewport.toScreen(imagePoint(region.x + editor.settings.get("swipe") * region.width, region.y)).x;
  }

  place(editor: Editor): void {
    this.element.style.left = `${Math.round(this.at(editor))}px`;
  }
}

/** Draws nothing left of a line any more. */
export function clipRightOf(g: CanvasRenderingContext2D, x: number, { viewport }: Editor): void {
  g.beginPath();
  g.rect(x, 0, Math.max(0, viewport.width - x), viewport.height);
  g.clip();
}
