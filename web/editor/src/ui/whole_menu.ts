// The menu of what is rarely done to the whole map, or to the selection, and of other maps to begin with.

import { pictureURL } from "../api/client.ts";
import type { StartingPoint } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { wholeOperations } from "../whole.ts";
import { button, fill, h, say } from "./element.ts";
import { icon } from "./icons.ts";
import { said, t } from "../words.ts";

/** The gamma that a place on the slider, −1 … 1, stands for: 1 in the middle, 4 and a quarter at the ends. */
const gammaAt = (place: number): number => 4 ** place;

export function wholeMenu(desk: Desk): { opener: HTMLButtonElement; menu: HTMLElement } {
  const { editor } = desk;
  const items = wholeOperations.flatMap((o) => "often" in o ? [] : [{
    name: o.name,
    button: button("button.menu-item", { "data-testid": `map-${o.name}`, title: o.hint, onclick: () => {
      menu.hidePopover();
      editor.whole(o.name);
    } }, h("span", {}, said(o.label)), h("kbd", { "data-key": o.key })),
  }]);
  const place = h("input", { type: "range", min: -1, max: 1, step: 0.02, value: 0, "aria-label": t("Gamma"), "data-testid": "gamma", oninput: () => show() });
  const words = h("output.slider-value");
  const apply = button("button.small-button", { "data-testid": "apply-gamma", onclick: () => {
    editor.applyGamma(gammaAt(Number(place.value)));
    menu.hidePopover();
  } }, t("Apply"));
  const show = () => {
    const gamma = gammaAt(Number(place.value));
    say(words, gamma.toFixed(2));
    apply.disabled = gamma === 1;
    editor.previewGamma(gamma);
  };
  const starts = startList(desk, () => menu.hidePopover());
  const scope = h("p.muted.menu-scope");
  const menu = h(
    "div.menu", { popover: "auto", id: "whole-menu", "aria-label": t("The whole map") }, scope, ...items.map((i) => i.button), h("hr"),
    h("label.slider", { title: t("Raises every value to this power: above 1 lowers the middle, below 1 raises it (⇧G, ⇧H)") }, h("span", {}, t("Gamma")), place, words), apply, h("hr"), starts.element,
  );
  const opener = button("button.tool", {
    "data-testid": "map-more", "aria-label": t("More for the whole map"), "aria-haspopup": "true", title: t("More for the whole map, or for the selection: fill, invert, blur, sharpen, normalise, gamma; other maps to begin with"),
    popovertarget: "whole-menu",
  }, icon("more"));
  menu.addEventListener("beforetoggle", (e) => {
    const opening = e.newState === "open";
    place.value = "0";
    show();
    if (!opening) return document.getElementById("stage")?.focus({ preventScroll: true });
    const { selection } = editor.document;
    say(scope, selection ? t("The selection") : t("The whole map"));
    starts.ask();
    for (const { name, button } of items) button.disabled = name === "keep" && !selection;
    const at = opener.getBoundingClientRect();
    const across = at.top > innerHeight / 2 && at.width < innerWidth / 4 && innerWidth <= 760; // tools in a row: the menu stands above them
    menu.style.left = across ? "auto" : `${at.right + 6}px`;
    menu.style.right = across ? "8px" : "auto";
    const bottom = across ? innerHeight - at.top + 6 : Math.max(8, innerHeight - at.bottom);
    menu.style.bottom = `${bottom}px`;
    menu.style.maxHeight = `${innerHeight - bottom - 8}px`;
  });
  return { opener, menu };
}

/** Both pictures of an offer that is another image's map: this one's, and that one's. */
function both(desk: Desk, { near }: StartingPoint): HTMLElement[] {
  const { detail } = desk;
  if (!near || !detail) return [];
  const picture = (image: number, of: string) => h("img", { src: pictureURL({ image: { id: image }, version_id: near.version_id }, "thumb"), alt: of, width: 72, loading: "lazy" });
  return [h("span.menu-both", {}, picture(detail.image.id, t("This picture")), picture(near.image_id, t("The picture of #{id}", { id: String(near.task_id) })), h("span.muted", {}, t("likeness {value}", { value: near.likeness.toFixed(2) })))];
}

/** What the map can begin with. The studio is asked when the menu opens. */
function startList(desk: Desk, done: () => void): { element: HTMLElement; ask: () => void } {
  const { starts, comparison } = desk;
  const list = h("div.menu-starts");
  const element = h("div.menu-section", { role: "group", "aria-label": t("Begin with"), "data-testid": "starting-points" }, h("p.muted.menu-scope", { "aria-hidden": "true" }, t("Begin with, in place of the whole map")), list);
  const show = () => {
    const { state } = starts;
    element.setAttribute("aria-busy", String(state.kind === "loading"));
    if (state.kind !== "listed") {
      fill(list, h("p.muted.menu-scope", {}, state.kind === "loading" ? t("Looking what there is…") : state.why));
      return;
    }
    fill(list, ...state.points.map((point) => button("button.menu-item", {
      "data-testid": `start-${point.key}`, disabled: point.problem !== undefined, onclick: () => {
        done();
        void starts.take(point);
      },
    }, h("span", {}, point.name, point.problem !== undefined && h("span.menu-why", {}, point.problem), ...both(desk, point)))), button("button.menu-item", {
      "data-testid": "start-grad-cam", title: t("Shows it first; “Use as a start” takes it"), onclick: () => {
        done();
        comparison.show("grad-cam-perception");
      },
    }, h("span", {}, t("Grad-CAM or CAM: look at it first"))));
  };
  starts.on("changed", show);
  show();
  return { element, ask: () => void starts.list() };
}
