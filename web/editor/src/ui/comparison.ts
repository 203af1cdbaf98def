// The controls for another map: in the view's panel, which map and for which class; over the canvas, what is shown.

import { shownMapNames, shownMaps, type ClassChoice, type ShownMap } from "../comparison.ts";
import type { Desk } from "../desk.ts";
import { button, fill, h, say } from "./element.ts";
import { t } from "../words.ts";

const back = () => document.getElementById("stage")?.focus({ preventScroll: true });

/** Which map is shown. It stands in the status line, and where there is no room in the view's panel. */
export function mapPicker(desk: Desk, place: "status" | "panel"): HTMLElement {
  const { comparison } = desk;
  const maps = h("select", { "aria-label": t("Map"), "data-testid": `set-map-${place}`, onchange: () => {
    comparison.show(maps.value as ShownMap);
    back();
  } }, ...shownMapNames.map((name) => h("option", { value: name }, shownMaps[name].short)));
  comparison.on("changed", () => (maps.value = comparison.map));
  return h(`label.picker.map-picker-${place}`, { title: t("Another map to look at; the edited one stays as it is (A, ⇧A, Esc)") }, h("span", {}, t("Map")), maps);
}

/** The class that CAM and Grad-CAM are asked about. */
function classPicker(desk: Desk): HTMLSelectElement {
  const { comparison } = desk;
  const classes = h("select", { "aria-label": t("Class"), title: t("The class that is asked about"), "data-testid": "set-class", onchange: () => {
    const { value } = classes;
    comparison.choose(value === "label" || value === "answer" ? value : (Number(value) satisfies ClassChoice));
    back();
  } });
  const show = () => {
    classes.value = String(comparison.choice);
    classes.hidden = !comparison.byClass || comparison.state.kind === "refused";
  };
  desk.on("opened", (detail) => {
    const name = (index: number) => detail.project.classes.find((c) => c.index === index)?.name ?? t("class {class}", { class: index });
    const { label } = detail.image;
    fill(
      classes,
      label === undefined ? null : h("option", { value: "label" }, t("{label} (true class)", { label: name(label) })),
      h("option", { value: "answer" }, t("{class} (the answer)", { class: name(detail.prediction.class) })),
      h("optgroup", { label: t("All classes") }, ...detail.project.classes.map((c) => h("option", { value: c.index }, c.name))),
    );
    if (label === undefined && comparison.choice === "label") comparison.choose("answer");
    show();
  });
  comparison.on("changed", show);
  show();
  return classes;
}

/** Says over the canvas which other map is looked at, and what can be done with it. */
export function comparisonBar(desk: Desk): HTMLElement {
  const { comparison, editor } = desk;
  const words = h("span.comparison-words");
  const heard = h("span.visually-hidden", { role: "status", "aria-live": "polite", "data-testid": "comparison-words" });
  const note = h("span.muted");
  const start = button("button.small-button", {
    "data-testid": "use-as-start", title: t("Copies it into the edit, divided by its largest value; one step that undo takes back"),
    onclick: () => comparison.useAsStart(),
  }, t("Use as a start"));
  const instead = button("button.small-button", {
    "data-testid": "show-grad-cam", onclick: () => comparison.show(comparison.entry.instead ?? comparison.map),
  }, t("Show Grad-CAM"));
  const again = button("button.small-button", { "data-testid": "ask-again", onclick: () => comparison.retry() }, t("Try again"));
  const own = button("button.small-button", { "data-testid": "back-to-edit", title: t("Back to the map that is painted (Esc)"), onclick: () => comparison.show("edited") }, t("Back"));
  const bar = h("div.comparison-bar", { hidden: true, role: "group", "aria-label": t("Another map"), "data-testid": "comparison" },
    words, heard, classPicker(desk), note, h("span.comparison-actions", {}, start, instead, again, own));
  const show = () => {
    const { state } = comparison;
    bar.hidden = state.kind === "off";
    bar.dataset["state"] = state.kind;
    start.hidden = state.kind !== "shown" || !comparison.byClass || editor.readOnly;
    instead.hidden = state.kind !== "refused" || !comparison.entry.instead;
    again.hidden = state.kind !== "offline";
    const remark = remarkOf(desk);
    say(words, state.kind === "refused" ? state.why : comparison.byClass ? t("{map}, for", { map: comparison.entry.label }) : comparison.entry.label);
    say(note, remark);
    say(heard, state.kind === "off" ? "" : state.kind === "refused" ? state.why : [comparison.title, remark].filter(Boolean).join(", "));
  };
  comparison.on("changed", show);
  desk.on("phase", show);
  show();
  return bar;
}

/** What there is to say of the map besides its name. */
function remarkOf({ comparison, editor }: Desk): string {
  const { other } = editor;
  switch (comparison.state.kind) {
    case "loading":
      return t("computing…");
    case "offline":
      return t("the studio can't be reached");
    case "shown": {
      if (!other?.raw) return "";
      if (other.raw.max <= 0) return t("nothing speaks for it");
      const { rows, columns } = editor.document;
      return other.rows === rows && other.columns === columns ? "" : t("{rows} × {columns} cells", { rows: other.rows, columns: other.columns });
    }
    default:
      return "";
  }
}
