// The right side below the answer: brush, view and the list of strokes, each of which can be folded.

import { colorMapNames, colorTable } from "../colormap.ts";
import type { Desk } from "../desk.ts";
import { digitsFor, gain, number, percent, probability } from "../format.ts";
import { contourLevels } from "../render/contours.ts";
import { stretchedRange } from "../render/scene.ts";
import { smallestSize, type Pressure, type Settings, type View } from "../settings.ts";
import { button, fill, h, say } from "./element.ts";
import { keyWords } from "./keyed.ts";
import { calm } from "./calm.ts";
import { mapPicker } from "./comparison.ts";
import { choice, segments, slider } from "./controls.ts";
import { said, t } from "../words.ts";

/** A section that is open or folded as it was last time. */
const folded = (settings: Settings, setting: "brushPanel" | "viewPanel" | "strokesPanel", title: string, ...children: Node[]): HTMLElement => {
  const section = h("details.panel-section", { open: settings.get(setting) }, h("summary", {}, h("h2", {}, title)), h("div.panel-body", {}, ...children));
  section.addEventListener("toggle", () => settings.set(setting, section.open));
  return section;
};

export function brushPanel(desk: Desk): HTMLElement {
  const { editor } = desk;
  const { settings } = editor;
  const ratio = () => Math.log((2 * Math.max(4, editor.document.rows, editor.document.columns)) / smallestSize);
  const size = slider(settings, {
    label: t("Size"), setting: "size", hint: t("Across, in cells of the map and in pixels of the screen ( [ and ], or Alt and the right button )"),
    words: (v) => `${v.toFixed(v < 10 ? 2 : 1)} · ${Math.round(v * editor.cellOnScreen)} px`,
    to: (v) => Math.log(v / smallestSize) / ratio(), from: (t) => smallestSize * Math.exp(t * ratio()),
    rescaled: (show) => calm(editor, show),
  });
  const hardness = slider(settings, { label: t("Hardness"), setting: "hardness", hint: t("How far from the middle the full strength reaches ( Shift+[ and Shift+] )"), words: percent });
  const strength = slider(settings, { label: t("Strength"), setting: "strength", hint: t("What the brush paints; a stroke never goes beyond it (1 … 9, 0)"), words: (v) => v.toFixed(2) });
  const layers = segments(settings, "layer", t("What is painted"), [
    ["values", t("Values"), t("How much to look ({n} goes on)")],
    ["unknown", t("Don't know"), t("Marks cells of which you can't say: the model's own value stands there, and training leaves them alone ({n})")],
    ["avoided", t("Don't look"), t("Marks cells where nothing is to be looked at: 0 there, and training keeps the attention away ({n})")],
  ]);
  const modes = segments(settings, "mode", t("Mode"), [
    ["set", t("Set"), t("The map becomes the strength")],
    ["add", t("Add"), t("The strength is added")],
    ["subtract", t("Subtract"), t("The strength is taken away")],
  ]);
  const tolerance = slider(settings, { label: t("Tolerance"), setting: "tolerance", hint: t("How far values may differ to be filled together"), words: (v) => v.toFixed(2) });
  const colourTolerance = slider(settings, { label: t("Tolerance"), setting: "colourTolerance", hint: t("How far red, green and blue may each differ to be filled together"), words: percent });
  const alikeness = slider(settings, { label: t("Reach"), setting: "alikeness", hint: t("How far the selection goes: the figure is the cosine from which on a place is selected"), words: (v) => v.toFixed(2).replace("-", "−"), to: (v) => (1 - v) / 1.5, from: (t) => 1 - 1.5 * t });
  const wand = segments(settings, "wand", t("A click"), [
    ["add", t("Select"), t("A click adds to the selection (Alt: takes away)")],
    ["take", t("Take away"), t("A click takes away from the selection (Alt: adds)")],
  ]);
  const floodBy = segments(settings, "floodBy", t("Flood by"), [
    ["value", t("By value"), t("Cells of about the value clicked, connected to it")],
    ["colour", t("By colour"), t("What has about the colour clicked in the picture, connected to it")],
  ]);
  const straight = h("label.check", { hidden: true }, h("input", { type: "checkbox", "data-testid": "set-straight", checked: settings.get("straight"), onchange: (e) => settings.set("straight", (e.currentTarget as HTMLInputElement).checked) }), t("Straight lines"));
  const pressure = choice<"pressure">(settings, "pressure", t("Pressure"), [
    ["size", t("size")], ["strength", t("strength")], ["off", t("off")],
  ] satisfies [Pressure, string][]);
  const stabilising = slider(settings, { label: t("Steady"), setting: "stabilising", hint: t("The paint follows the hand more slowly, and evens it out"), words: percent });
  const fingers = segments(settings, "fingers", t("Fingers"), [
    ["paint", t("Paint"), t("One finger paints, two move the picture")],
    ["pan", t("Move"), t("Fingers move the picture and never paint; chosen once a pen was seen")],
  ]);
  const touch = h("div.picker", { hidden: true, "data-testid": "fingers" }, h("span", {}, t("Fingers")), fingers);
  let [fingersHere, penHere] = [matchMedia("(any-pointer: coarse)").matches, false];
  document.addEventListener("pointerdown", (e) => (fingersHere ||= e.pointerType === "touch"));
  desk.on("opened", () => { // what a first contact brings stands there from the next picture on: nothing moves under the hand
    penHere = settings.get("pen");
    touch.hidden = !fingersHere && !penHere;
    straight.hidden = touch.hidden && !settings.get("straight"); // who has keys has Shift
    show();
  });
  const show = () => {
    const flood = editor.tool === "flood";
    floodBy.hidden = !flood;
    tolerance.hidden = !flood || settings.get("floodBy") !== "value";
    colourTolerance.hidden = !flood || settings.get("floodBy") !== "colour";
    const clicks = editor.tool === "wand" || editor.tool === "segment";
    wand.hidden = !clicks;
    alikeness.hidden = editor.tool !== "wand";
    const marks = settings.get("layer") !== "values";
    size.hidden = stabilising.hidden = flood || clicks;
    hardness.hidden = size.hidden || marks;
    strength.hidden = modes.hidden = marks;
    pressure.hidden = !penHere || marks;
  };
  calm(editor, show);
  show();
  size.classList.add("wide-value");
  return folded(settings, "brushPanel", t("Brush"), layers, size, hardness, wand, alikeness, strength, modes, floodBy, tolerance, colourTolerance, stabilising, straight, pressure, touch);
}

export function viewPanel(desk: Desk): HTMLElement {
  const { editor } = desk;
  const { settings } = editor;
  const views = segments(settings, "view", t("View"), [
    ["cells", t("Cells"), t("One square a cell")],
    ["smooth", t("Smooth"), t("Between the cells' centres, for the eye only")],
    ["contours", t("Lines"), t("Contours at {levels}, over a clear picture", { levels: contourLevels.join(", ") })],
    ["spotlight", t("Spotlight"), ""], // what is dark follows the network
    ["marks", t("Marks"), t("The photograph with the marks alone: don't know, do not look here")],
  ] satisfies [View, string, string][]);
  desk.on("opened", () => views.querySelector("[data-testid=view-spotlight]")?.setAttribute("title", desk.detail?.mechanism.spotlight ?? ""));
  const arrangement = segments(settings, "layout", t("Arrangement"), [
    ["over", t("Over"), t("The map over the picture (H goes on)")],
    ["swipe", t("Swipe"), t("The map right of a line that you move, the photograph left of it (H goes on)")],
    ["beside", t("Beside"), t("The photograph and the map beside each other, zoomed alike; both can be painted on (H goes on)")],
  ]);
  const maps = choice(settings, "colorMap", t("Colours"), colorMapNames.map((name) => [name, name] as const));
  const opacity = slider(settings, { label: t("Opacity"), setting: "opacity", hint: t("Of the map over the picture"), words: percent });
  const toggle = (label: string, title: string, id: string, get: () => boolean, set: () => void) => {
    const b = button("button", { "data-keyed": title, "data-testid": id, onclick: set }, label);
    calm(editor, () => b.setAttribute("aria-pressed", String(get())));
    b.setAttribute("aria-pressed", String(get()));
    return b;
  };
  const helps = toggle(t("Would help"), "", "toggle-hint", () => desk.hint.wanted, () => desk.hint.toggle());
  const offer = () => {
    helps.disabled = desk.hint.missing !== "";
    helps.title = desk.hint.missing || t("Where more attention, or less, would raise the score of {class}, at the map as it is ({key}). That you looked is recorded with the map", { class: desk.hint.className, key: keyWords(editor, "Shift+w") });
    helps.setAttribute("aria-pressed", String(desk.hint.wanted));
  };
  desk.hint.on("changed", offer);
  desk.on("opened", offer);
  const toggles = h("div.segments", { role: "group", "aria-label": t("Overlays") },
    toggle(t("Difference"), t("Signed difference to the model's map ({d}); hold {c} for the model's map itself"), "toggle-difference", () => editor.showDifference, () => editor.toggleDifference()),
    helps,
    toggle(t("Stretch"), t("Colours from the least to the largest value of this map, and not from 0 to 1 ({u}); for the eye only"), "toggle-stretch", () => settings.get("stretch"), () => settings.set("stretch", !settings.get("stretch"))),
    toggle(t("Grid"), t("The map's cells ({g})"), "toggle-grid", () => settings.get("grid"), () => settings.set("grid", !settings.get("grid"))),
  );
  return folded(settings, "viewPanel", t("View"), mapPicker(desk, "panel"), views, arrangement, maps, opacity, toggles, legend(desk));
}

/** The colour bar, and what its two ends do to a feature. */
function legend(desk: Desk): HTMLElement {
  const { editor } = desk;
  const bar = h("div.scale-bar", { "aria-hidden": "true" }); // not a canvas, which would be a layer of its own in every frame of a stroke
  const low = h("span");
  const high = h("span");
  let shown = "";
  const show = () => {
    const hint = editor.hint !== null && !editor.other;
    const difference = editor.showDifference && !editor.other;
    const colors = difference || hint ? "difference" : editor.settings.get("colorMap");
    if (colors !== shown) {
      const table = colorTable((shown = colors));
      const stops = Array.from({ length: 52 }, (_, i) => `rgb(${table.subarray(15 * i, 15 * i + 3).join(" ")})`); // every fifth of 256 shades
      bar.style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
    }
    const mechanism = desk.detail?.mechanism;
    const end = (v: number, word = "") => [number(v), "·", mechanism ? gain(v, mechanism) : "", word].filter(Boolean).join(" ").replace(/ ·$/, "");
    const raw = editor.other?.raw;
    if (hint) {
      say(low, t("less helps"));
      say(high, t("more helps"));
    } else if (raw) {
      say(low, t("0 and below"));
      say(high, raw.max > 0 ? t("largest, {value}", { value: number(raw.max) }) : t("none above 0"));
    } else {
      const range = difference ? null : stretchedRange(editor);
      say(low, difference ? t("lowered") : range ? t("least, {value}", { value: end(range[0]) }) : end(0, mechanism?.zero));
      say(high, difference ? t("raised") : range ? t("largest, {value}", { value: end(range[1]) }) : end(1));
    }
  };
  calm(editor, show);
  desk.on("opened", show);
  show();
  return h("div.scale", {}, bar, h("div.scale-ends", {}, low, high));
}

export function historyPanel(desk: Desk): HTMLElement {
  const { editor } = desk;
  const list = h("ol.strokes", { "data-testid": "strokes" });
  const count = h("span.count");
  let listed = ""; // what the list shows
  const show = () => {
    const { history } = editor.document;
    const start = history.dropped > 0 ? t("Earlier strokes") : desk.detail?.edit ? t("As it was opened") : t("The model's map");
    const truth = desk.detail?.image.label;
    const shown = history.steps.slice(-120);
    const first = history.steps.length - shown.length;
    const rows = [{ label: start, position: 0, scores: desk.trail.get(null) }, ...shown.map((step, i) => ({ label: said(step.label), position: first + i + 1, scores: desk.trail.get(step) }))].reverse()
      .map(({ label, position, scores }) => {
        const share = truth === undefined ? undefined : scores?.probabilities[truth];
        return { label, position, written: share === undefined ? "" : probability(share, digitsFor(scores?.top[0]?.probability ?? 0)) };
      });
    const now = JSON.stringify([history.position, editor.readOnly, rows]);
    if (now === listed) return;
    listed = now;
    fill(list, ...rows.map(({ label, position, written }) => h("li", {}, button("button.stroke", {
      "aria-current": history.position === position ? "step" : undefined,
      "data-undone": position > history.position || undefined,
      disabled: editor.readOnly,
      tabindex: history.position === position ? 0 : -1,
      onclick: () => editor.travel(position),
    }, label, written && h("span.stroke-score", { title: t("The true class after it: {value}", { value: written }), "aria-label": t("true class {value}", { value: written }) }, written)))));
    say(count, history.position === 0 ? "" : String(history.position));
    count.hidden = history.position === 0;
  };
  // One stop for Tab; arrows go along the list.
  list.addEventListener("keydown", (e) => {
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[e.key];
    if (at < 0 || to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    buttons[to]?.focus();
  });
  const follow = calm(editor, show);
  desk.on("opened", show);
  desk.on("scores", follow);
  const section = folded(editor.settings, "strokesPanel", t("Strokes"), list);
  section.querySelector("h2")?.append(count);
  section.classList.add("grows");
  return section;
}
