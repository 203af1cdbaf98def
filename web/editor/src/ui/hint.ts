// The legend of a hint, over the canvas: what its two colours say, of which map it is, or why there is none.

import { colorTable, differenceShade } from "../colormap.ts";
import type { Desk } from "../desk.ts";
import { button, h, say } from "./element.ts";
import { t } from "../words.ts";

/** A patch of the colour that a share of the largest derivative has. */
function patch(share: number): HTMLElement {
  const at = 3 * differenceShade(share);
  const element = h("span.hint-patch", { "aria-hidden": "true" });
  element.style.background = `rgb(${colorTable("difference").subarray(at, at + 3).join(" ")})`;
  return element;
}

export function hintBar(desk: Desk): HTMLElement {
  const { hint, editor } = desk;
  const words = h("span.hint-words");
  const more = h("span");
  const less = h("span");
  const legend = h("span.hint-legend", {}, h("span", {}, patch(0.8), more), h("span", {}, patch(-0.8), less));
  const when = h("span.muted", { "data-testid": "hint-when" });
  const heard = h("span.visually-hidden", { role: "status", "aria-live": "polite" });
  const again = button("button.small-button", { "data-testid": "hint-again", onclick: () => hint.retry() }, t("Try again"));
  const off = button("button.small-button", { "data-testid": "hint-off", "data-keyed": t("The map again ({Shift+w})"), onclick: () => {
    hint.leave();
    document.getElementById("stage")?.focus({ preventScroll: true });
  } }, t("Off"));
  const bar = h("div.hint-bar", { hidden: true, role: "group", "aria-label": t("What would help"), "data-testid": "hint" }, legend, words, when, heard, h("span.hint-actions", {}, again, off));
  const show = () => {
    const { state } = hint;
    const name = hint.className;
    const none = state.kind === "shown" && editor.hint?.raw.every((v) => v === 0) === true;
    bar.hidden = !hint.wanted || editor.comparing;
    bar.dataset["state"] = state.kind;
    legend.hidden = state.kind !== "shown" || none;
    again.hidden = state.kind !== "waiting";
    say(more, t("more here raises the score of {name}", { name }));
    say(less, t("less here raises it"));
    const says = none ? t("No cell changes the score of {name}", { name }) : state.kind === "asking" ? t("Asking the network what would help {name}…", { name }) : "why" in state ? state.why : "";
    say(words, says);
    say(when, state.kind !== "shown" ? "" : state.stale ? t("of the map before this change") : t("of the map as it is now"));
    bar.toggleAttribute("data-stale", state.kind === "shown" && state.stale);
    say(heard, state.kind === "shown" && !none ? t("What would help {name} is shown: orange where more raises its score, blue where less does", { name }) : says);
  };
  hint.on("changed", show);
  desk.comparison.on("changed", show);
  desk.on("opened", show);
  return bar;
}
