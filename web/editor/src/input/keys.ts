// The keyboard: one table, from which the help overlay is made too.

import type { Editor } from "../editor.ts";
import { colorMapNames } from "../colormap.ts";
import { layouts, views } from "../settings.ts";
import type { WholeOperation } from "../whole.ts";
import type { KeyInput } from "./key_input.ts";
import { chordWords, Keymap, type Bound } from "./keymap.ts";
import { arrows } from "./arrows.ts";
import { digitOf, letterOf } from "./letter.ts";
import { t } from "../words.ts";

export interface Binding {
  readonly keys: string; // for the help overlay
  readonly does: string;
  readonly group: "Paint" | "Map" | "View" | "Cell" | "Task";
  /** The one key that it has, as a chord: a person can give it another. */
  readonly chord?: string;
  matches(k: KeyInput): boolean;
  run(e: Editor, k: KeyInput): void;
  /** Whether it does anything in this editor. */
  there?(e: Editor): boolean;
}

const next = <T>(list: readonly T[], now: T, step = 1): T =>
  list[(list.indexOf(now) + step + list.length) % list.length] ?? now;

/** What has a letter to itself. */
const plain = (letter: string) => ({ chord: letter, matches: (k: KeyInput) => !k.ctrl && !k.alt && !k.shift && letterOf(k) === letter });
const shifted = (letter: string) => ({ chord: `Shift+${letter}`, matches: (k: KeyInput) => !k.ctrl && !k.alt && k.shift && letterOf(k) === letter });
const ctrl = (letter: string, shift = false) => (k: KeyInput) =>
  k.ctrl && k.shift === shift && letterOf(k) === letter;
const named = (...names: string[]) => (k: KeyInput) => !k.ctrl && !k.alt && names.includes(k.key);
/** The bracket that a key writes, with Shift too, or on whose place it stands; where [ needs AltGr, browsers report Ctrl and Alt with it. */
const bracketOf = (k: KeyInput): string | undefined =>
  ({ "[": "[", "{": "[", "]": "]", "}": "]" })[k.key] ?? (k.ctrl ? undefined : { BracketLeft: "[", BracketRight: "]" }[k.code]);

function size(e: Editor, larger: boolean, hardness: boolean): void {
  const s = e.settings;
  if (hardness) s.set("hardness", Math.round((s.get("hardness") + (larger ? 0.1 : -0.1)) * 10) / 10);
  else s.set("size", Math.round(s.get("size") * (larger ? 1.15 : 1 / 1.15) * 100) / 100);
}

function tool(keys: string, letter: string, does: string, name: Parameters<Editor["choose"]>[0]): Binding {
  return { keys, does, group: "Paint", ...plain(letter), run: (e, k) => { if (!k.repeat) e.holdTool(name, letter); } };
}

function whole(keys: string, letter: string, does: string, name: WholeOperation): Binding {
  return { keys, does, group: "Map", ...shifted(letter), run: (e, k) => e.whole(name, k.repeat) };
}

/** Whether the tool selects by clicks, so that a press adds to the selection that is there. */
const clicking = (e: Editor): boolean => e.tool === "wand" || e.tool === "segment";

/** The digit of a key without Ctrl or Alt, which is a strength. */
const strengthOf = (k: KeyInput): string | undefined => (k.ctrl || k.alt ? undefined : digitOf(k, k.shift));

/** Up or down, where a key writes + or −, or where it writes neither, stands on their place in the row of digits. */
function signOf(k: KeyInput): 1 | -1 | undefined {
  if (["+", "="].includes(k.key)) return 1;
  if (["-", "_"].includes(k.key)) return -1;
  return k.shift ? undefined : k.code === "Equal" ? 1 : k.code === "Minus" ? -1 : undefined;
}

const upDown: Readonly<Record<string, 1 | -1>> = { ArrowUp: 1, ArrowDown: -1 }; // with Alt

/** Raises or lowers the keyboard's cell, or its region. */
function nudge(e: Editor, k: KeyInput): void {
  const arrow = k.alt ? upDown[k.key] : undefined;
  e.nudge((arrow ?? signOf(k) ?? 1) * ((arrow ? k.shift : k.alt) ? 0.01 : 0.05), k.repeat);
}

export const bindings: readonly Binding[] = [
  tool("B", "b", t("Brush"), "brush"),
  tool("E", "e", t("Eraser"), "eraser"),
  tool("S", "s", t("Smooth"), "smooth"),
  tool("R", "r", t("Select a box (⇧: a square)"), "box"),
  tool("O", "o", t("Select an ellipse (⇧: a circle)"), "ellipse"),
  tool("L", "l", t("Select with a lasso"), "lasso"),
  tool("Q", "q", t("Select what looks alike to the network: a click adds, Alt-click takes away"), "wand"),
  { ...tool("J", "j", t("Select the thing clicked, as the segmenter sees it: more clicks add, Alt-clicks take away"), "segment"), there: (e) => e.segmenter },
  tool("F", "f", t("Flood fill, by value or by colour"), "flood"),
  { keys: t("B, E, … (hold)"), does: t("That tool, until the key is lifted"), group: "Paint", matches: () => false, run: () => undefined },
  { keys: t("⇧ click, ⇧ drag"), does: t("A straight line, on from where the last stroke ended"), group: "Paint", matches: () => false, run: () => undefined },
  { keys: t("Alt right drag"), does: t("Sideways the brush's size, up and down its hardness"), group: "Paint", matches: () => false, run: () => undefined },
  { keys: "[ ]", does: t("Smaller, larger brush"), group: "Paint", matches: (k) => bracketOf(k) !== undefined,
    run: (e, k) => {
      if (signOf(k) && e.cell >= 0) nudge(e, k); // where ] stands a German keyboard writes +: whoever paints by keyboard means that
      else size(e, bracketOf(k) === "]", k.shift);
    } },
  { keys: "⇧[ ⇧]", does: t("Softer, harder brush"), group: "Paint", matches: () => false, run: () => undefined },
  { keys: "1 … 9 0", does: t("Strength 0.1 … 0.9, 1.0"), group: "Paint", matches: (k) => strengthOf(k) !== undefined,
    run: (e, k) => e.settings.set("strength", (Number(strengthOf(k)) || 10) / 10) },
  { keys: "X", does: t("Paint the opposite (strength ⇄ 0, add ⇄ subtract)"), group: "Paint", ...plain("x"), run: (e) => e.swap() },
  { keys: "N", does: t("Mark instead of painting: don't know, do not look here, values again"), group: "Paint", ...plain("n"), run: (e, k) => { if (!k.repeat) e.nextLayer(); } },
  { keys: "I", does: t("Pick the value under the pointer (or Alt-click)"), group: "Paint", ...plain("i"), run: (e) => e.pick() },
  { keys: "Ctrl Z", does: t("Undo"), group: "Map", matches: ctrl("z"), run: (e) => e.undo() },
  { keys: "Ctrl ⇧Z, Ctrl Y", does: t("Redo"), group: "Map", matches: (k) => ctrl("z", true)(k) || ctrl("y")(k), run: (e) => e.redo() },
  { keys: "Enter", does: t("Fill the selection, or use the tool on the cell (⇧: a straight line to it)"), group: "Map", matches: named("Enter"),
    run: (e, k) => {
      if (e.document.selection && !(k.shift && clicking(e))) e.fill();
      else e.dabCell(k.shift);
    } },
  { keys: "⇧Enter, Alt Enter", does: t("While selecting by clicks: add what looks like the cell, take it away"), group: "Map",
    matches: (k) => !k.ctrl && k.alt && k.key === "Enter", run: (e) => { if (clicking(e)) e.dabCell(false, true); } },
  { keys: "Delete", does: t("Erase inside the selection"), group: "Map", matches: named("Delete", "Backspace"), run: (e) => { if (e.document.selection) e.fill(true); } },
  { keys: "K", does: t("Keep inside the selection"), group: "Map", ...plain("k"), run: (e) => e.whole("keep") },
  whole("⇧F", "f", t("Fill the map, or the selection, as the brush paints"), "fill"),
  whole("⇧I", "i", t("Invert"), "invert"),
  whole("⇧B", "b", t("Blur"), "blur"),
  whole("⇧S", "s", t("Sharpen"), "sharpen"),
  whole("⇧N", "n", t("Normalise: stretch the values to 0 … 1"), "normalise"),
  whole("⇧G", "g", t("Gamma: lower the middle values"), "gamma"),
  whole("⇧H", "h", t("Gamma: raise the middle values"), "gamma-up"),
  whole("⇧M", "m", t("Remove the marks"), "unmark"),
  { keys: "Esc", does: t("Give up the stroke, leave another map, let go of the selection"), group: "Map", matches: named("Escape"), run: (e) => escape(e) },
  { keys: t("C (hold)"), does: t("The model's map"), group: "View", ...plain("c"), run: (e) => e.holdModel(true) },
  { keys: t("P (hold)"), does: t("The photograph alone"), group: "View", ...plain("p"), run: (e) => e.holdPhotograph(true) },
  { keys: "D", does: t("Difference to the model's map"), group: "View", ...plain("d"), run: (e) => e.toggleDifference() },
  { keys: "⇧W", does: t("What would help: where more attention, or less, raises the score of the true class"), group: "View", ...shifted("w"), run: (e, k) => { if (!k.repeat) e.emit("command", "hint"); } },
  { keys: "A, ⇧A", does: t("Another map to look at: CAM, Grad-CAM, the model's own"), group: "View",
    matches: (k) => !k.ctrl && !k.alt && letterOf(k) === "a", run: (e, k) => e.emit("command", k.shift ? "previous-map" : "next-map") },
  { keys: "V", does: t("Cells, smooth, contours, spotlight, marks alone"), group: "View", ...plain("v"), run: (e) => e.settings.set("view", next(views, e.settings.get("view"))) },
  { keys: "H", does: t("The map over the picture, right of a line that you move, beside the photograph"), group: "View", ...plain("h"), run: (e) => e.settings.set("layout", next(layouts, e.settings.get("layout"))) },
  { keys: "U", does: t("Stretch the colours over the map's own values"), group: "View", ...plain("u"), run: (e) => e.settings.set("stretch", !e.settings.get("stretch")) },
  { keys: "M", does: t("Next colour map"), group: "View", ...plain("m"), run: (e) => e.settings.set("colorMap", next(colorMapNames, e.settings.get("colorMap"))) },
  { keys: "G", does: t("Grid"), group: "View", ...plain("g"), run: (e) => e.settings.set("grid", !e.settings.get("grid")) },
  { keys: "W", does: t("Whole picture, the model's view outlined"), group: "View", ...plain("w"), run: (e) => e.toggleWhole() },
  { keys: t("Space (hold)"), does: t("Pan"), group: "View", matches: named(" "), run: (e) => e.holdPan(true) },
  { keys: t("Wheel, Ctrl + −"), does: t("Zoom"), group: "View", matches: (k) => k.ctrl && !k.alt && signOf(k) !== undefined, run: (e, k) => e.zoom(signOf(k) === 1 ? 1.25 : 0.8) },
  { keys: "Ctrl 0", does: t("Fit"), group: "View", matches: (k) => k.ctrl && !k.alt && digitOf(k, k.shift) === "0", run: (e) => e.fit() },
  { keys: "← ↑ → ↓", does: t("Move over cells (Ctrl: by four)"), group: "Cell", matches: (k) => !k.alt && k.key in arrows,
    run: (e, k) => {
      const [rows, columns] = arrows[k.key] ?? [0, 0];
      const far = k.ctrl ? 4 : 1;
      if (k.shift) e.extendRegion(far * rows, far * columns);
      else e.moveCell(far * rows, far * columns);
    } },
  { keys: "⇧← ⇧↑ ⇧→ ⇧↓", does: t("Select a region of cells, from the one that you are on (Ctrl: by four)"), group: "Cell", matches: () => false, run: () => undefined },
  { keys: "+ −, Alt ↑ ↓", does: t("Change the cell, or the region, by 0.05 (Alt + −, Alt ⇧↑ ↓: 0.01)"), group: "Cell", matches: (k) => !k.ctrl && (signOf(k) !== undefined || (k.alt && k.key in upDown)), run: nudge },
  { keys: "Ctrl Enter", does: t("Submit"), group: "Task", chord: "Ctrl+Enter", matches: (k) => k.ctrl && k.key === "Enter", run: (e, k) => { if (!k.repeat) e.emit("command", "submit"); } },
  { keys: "Y", does: t("The model's map is fine as it is: confirm and submit it"), group: "Task", ...plain("y"), run: (e, k) => { if (!k.repeat) e.emit("command", "confirm"); } },
  { keys: "Ctrl Space", does: t("Skip"), group: "Task", chord: "Ctrl+ ", matches: (k) => k.ctrl && k.key === " ", run: (e, k) => { if (!k.repeat) e.emit("command", "skip"); } },
  { keys: t("Page ↑ ↓"), does: t("Back through the last ten that you submitted, and forward again"), group: "Task", matches: named("PageUp", "PageDown"), run: (e, k) => { if (!k.repeat) e.emit("command", k.key === "PageUp" ? "older" : "newer"); } },
  { keys: "T", does: t("The label is wrong: the true class, none of these, ambiguous"), group: "Task", ...plain("t"), run: (e, k) => { if (!k.repeat) e.emit("command", "label"); } },
  { keys: "Ctrl S", does: t("Save now (every stroke is saved by itself)"), group: "Task", matches: ctrl("s"), run: (e) => e.emit("command", "save") },
  { keys: "?", does: t("This help"), group: "Task", matches: named("?"), run: (e) => e.emit("command", "help") },
];

function escape(e: Editor): void {
  if (e.busy) e.cancel();
  else if (e.comparing) e.emit("command", "own-map");
  else if (e.document.selection) e.deselect();
  else {
    e.cell = -1;
    e.redraw();
  }
}

/** The lines that can have another key. */
export const movable: readonly (Binding & Bound)[] = bindings.filter((b): b is Binding & Bound => b.chord !== undefined);

/** The keys that a setting says. */
export const keymapOf = (kept: string): Keymap => new Keymap(movable, (k) => bindings.some((b) => b.chord === undefined && b.matches(k)), kept);

let last = keymapOf("{}");
let lastKept = "{}";

/** The keys that this person has chosen, to be read: every key press asks for them. */
export function keymap(e: Editor): Pick<Keymap, "chord" | "changed" | "translate"> {
  const kept = e.settings.get("keys");
  if (kept !== lastKept) [last, lastKept] = [keymapOf(kept), kept];
  return last;
}

/** The key of a line of the table, as people read it. */
export function keysOf(binding: Binding, map: Pick<Keymap, "chord">): string {
  const chord = binding.chord && map.chord(binding.chord);
  return chord === binding.chord || !chord ? binding.keys : chordWords(chord);
}

/** The key press that the table is asked for. */
const asked = (e: Editor, k: KeyInput): KeyInput | null => keymap(e).translate(k, e.settings.get("singleKeys"));

/** What the keys that are down stand for, by where they are. */
const down = new WeakMap<Editor, Map<string, KeyInput>>();
const placeOf = (k: KeyInput): string => k.code || letterOf(k);

function pressedAs(editor: Editor): Map<string, KeyInput> {
  let keys = down.get(editor);
  if (!keys) down.set(editor, keys = new Map<string, KeyInput>());
  return keys;
}

/** Runs what a key is bound to; false if it is bound to nothing. */
export function keyDown(editor: Editor, pressed: KeyInput): boolean {
  if (pressed.key === "Shift") editor.holdShift(true);
  const k = asked(editor, pressed);
  if (!k) return false;
  pressedAs(editor).set(placeOf(pressed), k);
  const binding = bindings.find((b) => b.matches(k) && (b.there?.(editor) ?? true));
  if (!binding) return false;
  binding.run(editor, k);
  return true;
}

/** Ends what lasts while a key is held. */
export function keyUp(editor: Editor, lifted: KeyInput): boolean {
  if (lifted.key === "Shift") editor.holdShift(false);
  const k = pressedAs(editor).get(placeOf(lifted)) ?? lifted; // as it was pressed: with other modifiers, or before its key was changed
  pressedAs(editor).delete(placeOf(lifted));
  editor.releaseTool(letterOf(k));
  if (k.key === " ") editor.holdPan(false);
  else if (letterOf(k) === "c") editor.holdModel(false);
  else if (letterOf(k) === "p") editor.holdPhotograph(false);
  else return false;
  return true;
}
