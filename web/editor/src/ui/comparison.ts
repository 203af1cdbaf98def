// The controls for another map: in the view's panel, which map and for which class; over the canvas, what is shown.

import { shownMapNames, shownMaps, type ClassChoice, type ShownMap } from "../comparison.ts";
import type { Desk } from "../desk.ts";
import { button, fill, h, say } from "./element.ts";

const back = () => document.getElementById("stage")?.focus({ preventScroll: true });

/** Which map is shown. It stands in the status line, and where there is no room in the view's panel. */
export function mapPicker(desk: Desk, place: "status" | "panel"): HTMLElement {
  const { comparison } = desk;
  const maps = h("select", { "aria-label": "Map", "data-testid": `set-map-${place}`, onchange: () => {
    comparison.show(maps.value as ShownMap);
    back();
  } }, ...shownMapNames.map((name) => h("option", { value: name }, shownMaps[name].short)));
  comparison.on("changed", () => (maps.value = comparison.map));
  return h(`label.picker.map-picker-${place}`, { title: "Another map to look at; the edited one stays as it is (A, ⇧A, Esc)" }, h("span", {}, "Map"), maps);
}

/** The class that CAM and Grad-CAM are asked about. */
function classPicker(desk: Desk): HTMLSelectElement {
  const { comparison } = desk;
  const classes = h("select", { "aria-label": "Class", title: "The class that is asked about", "data-testid": "set-class", onchange: () => {
    const { value } = classes;
    comparison.choose(value === "label" || value === "answer" ? value : (Number(value) satisfies ClassChoice));
    back();
  } });
  const show = () => {
    classes.value = String(comparison.choice);
    classes.hidden = !comparison.byClass || comparison.state.kind === "refused";
  };
  desk.on("opened", (detail) => {
    const name = (index: number) => detail.project.classes.find((c) => c.index === index)?.name ?? `class ${index}`;
    const { label } = detail.image;
    fill(
      classes,
      label === undefined ? null : h("option", { value: "label" }, `${name(label)} (true class)`),
      h("option", { value: "answer" }, `${name(detail.prediction.class)} (the answer)`),
      h("optgroup", { label: "All classes" }, ...detail.project.classes.map((c) => h("option", { value: c.index }, c.name))),
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
    "data-testid": "use-as-start", title: "Copies it into the edit, divided by its largest value; one step that undo takes back",
    onclick: () => comparison.useAsStart(),
  }, "Use as a start");
  const instead = button("button.small-button", {
    "data-testid": "show-grad-cam", onclick: () => comparison.show(comparison.entry.instead ?? comparison.map),
  }, "Show Grad-CAM");
  const again = button("button.small-button", { "data-testid": "ask-again", onclick: () => comparison.retry() }, "Try again");
  const own = button("button.small-button", { "data-testid": "back-to-edit", title: "Back to the map that is painted (Esc)", onclick: () => comparison.show("edited") }, "Back");
  const bar = h("div.comparison-bar", { hidden: true, role: "group", "aria-label": "Another map", "data-testid": "comparison" },
    words, heard, classPicker(desk), note, h("span.comparison-actions", {}, start, instead, again, own));
  const show = () => {
    const { state } = comparison;
    bar.hidden = state.kind === "off";
    bar.dataset["state"] = state.kind;
    start.hidden = state.kind !== "shown" || !comparison.byClass || editor.readOnly;
    instead.hidden = state.kind !== "refused" || !comparison.entry.instead;
    again.hidden = state.kind !== "offline";
    const remark = remarkOf(desk);
    say(words, state.kind === "refused" ? state.why : comparison.byClass ? `${comparison.entry.label}, for` : comparison.entry.label);
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
      return "computing…";
    case "offline":
      return "the studio can't be reached";
    case "shown": {
      if (!other?.raw) return "";
      if (other.raw.max <= 0) return "nothing speaks for it";
      const { rows, columns } = editor.document;
      return other.rows === rows && other.columns === columns ? "" : `${other.rows} × ${other.columns} cells`;
    }
    default:
      return "";
  }
}
