import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { regionWords } from "../src/cell_region.ts";
import type { KeyInput } from "../src/input/key_input.ts";
import { chordOf } from "../src/input/keymap.ts";
import { bindings, keyDown, keyUp, keymapOf, keysOf, movable } from "../src/input/keys.ts";
import { letterOf } from "../src/input/letter.ts";
import { Settings } from "../src/settings.ts";
import { cellWords } from "../src/ui/status.ts";
import { MemoryStorage, TestEditor } from "./editor.ts";
import mechanisms from "./mechanisms.json";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("keys", () => {
  it("choose tools", async () => {
    const t = await new TestEditor().open();
    for (const [key, tool] of [["e", "eraser"], ["s", "smooth"], ["l", "lasso"], ["r", "box"], ["o", "ellipse"], ["f", "flood"], ["B", "brush"]] as const) {
      expect(t.key(key).editor.tool).toBe(tool);
    }
  });

  it("set size, hardness and strength", async () => {
    const e = await new TestEditor().open();
    const s = e.editor.settings;
    const size = s.get("size");
    e.key("]");
    expect(s.get("size")).toBeGreaterThan(size);
    e.key("[").key("[");
    expect(s.get("size")).toBeLessThan(size);
    e.key("Shift+}");
    expect(s.get("hardness")).toBeCloseTo(0.6);
    e.key("Shift+{").key("Shift+{");
    expect(s.get("hardness")).toBeCloseTo(0.4);
    for (const [key, strength] of [["1", 0.1], ["7", 0.7], ["0", 1]] as const) {
      e.key(key);
      expect(s.get("strength")).toBe(strength);
    }
    const azerty = (key: string, code: string) => keyDown(e.editor, { key, code, ctrl: false, shift: false, alt: false, repeat: false });
    azerty("é", "Digit2");
    expect(s.get("strength")).toBe(0.2);
    azerty("à", "Digit0");
    expect(s.get("strength")).toBe(1);
    for (const [key, code, strength] of [["-", "Digit6", 0.6], ["_", "Digit8", 0.8], ["+", "Digit1", 0.1]] as const) { // French, French, Czech
      azerty(key, code);
      expect([s.get("strength"), e.history.steps.length]).toEqual([strength, 0]);
    }
    azerty("à", "Digit0");
    e.key("x");
    expect(s.get("strength")).toBe(0);
    e.key("x");
    expect(s.get("strength")).toBe(1);
  });

  it("switch views, and hold the model's map and the hand", async () => {
    const t = await new TestEditor().open();
    const s = t.editor.settings;
    expect(t.key("v").editor.settings.get("view")).toBe("contours");
    expect(t.key("v").editor.settings.get("view")).toBe("spotlight");
    t.key("m");
    expect(s.get("colorMap")).toBe("cividis");
    t.key("g").key("d").key("w");
    expect([s.get("grid"), t.editor.showDifference, t.editor.showWhole]).toEqual([true, true, true]);
    t.hold("c");
    expect(t.editor.showModel).toBe(true);
    t.key("c");
    expect(t.editor.showModel).toBe(false);
    t.hold("p");
    expect(t.editor.showPhotograph).toBe(true);
    t.key("p");
    expect(t.editor.showPhotograph).toBe(false);
    t.hold(" ");
    expect(t.editor.tool).toBe("pan");
    const x = t.editor.viewport.offsetX;
    const at = t.editor.viewport;
    t.editor.pointerDown({ id: 1, type: "mouse", point: { x: 100, y: 100 } as never, pressure: 1, button: 0, shift: false, alt: false, time: 0, contact: 0 });
    t.editor.pointerUp({ id: 1, type: "mouse", point: { x: 140, y: 90 } as never, pressure: 1, button: 0, shift: false, alt: false, time: 0, contact: 0 });
    expect(t.editor.viewport.offsetX - x).toBeCloseTo(40);
    expect(t.history.steps.length).toBe(0);
    t.key(" ");
    expect(t.editor.tool).toBe("brush");
    t.key("Ctrl+0");
    expect(t.editor.viewport.scale).toBeCloseTo(at.scale, 0);
  });

  it("raise, lower, fit and zoom by the signs of each layout, and by their places where it has none there", async () => {
    const t = await new TestEditor().open();
    const press = (key: string, code: string, more: Partial<KeyInput> = {}) => keyDown(t.editor, { key, code, ctrl: false, shift: false, alt: false, repeat: false, ...more });
    const shift = { shift: true }, ctrl = { ctrl: true };
    const size = t.editor.settings.get("size");
    press("+", "BracketRight"); // German, without a cell: the key beside ü
    expect(t.editor.settings.get("size")).toBeGreaterThan(size);
    t.editor.settings.set("size", size);
    t.key("ArrowUp");
    const now = () => Math.round(100 * (t.values[t.editor.cell] ?? 0));
    for (const [key, code, more] of [["=", "Equal", {}], ["+", "Equal", shift], ["+", "NumpadAdd", {}], ["+", "BracketRight", {}], ["Dead", "Equal", {}], ["=", "Equal", {}], ["+", "Equal", shift]] as const) {
      const before = now();
      press(key, code, more);
      expect([now() - before, t.editor.settings.get("size")], `${key} ${code}`).toEqual([5, size]);
    }
    for (const [key, code, more] of [["-", "Minus", {}], ["_", "Minus", shift], ["-", "NumpadSubtract", {}], ["-", "Slash", {}], ["ß", "Minus", {}], [")", "Minus", {}]] as const) {
      const before = now();
      press(key, code, more);
      expect(now() - before, `${key} ${code}`).toBe(-5);
    }
    const help: string[] = [];
    t.editor.on("command", (c) => help.push(c));
    press("?", "Minus", shift); // German
    expect(help).toEqual(["help"]);
    press("[", "BracketRight"); // Japanese
    expect(t.editor.settings.get("size")).toBeLessThan(size);
    const { scale } = t.editor.viewport;
    press("-", "Digit6", ctrl); // French
    expect(t.editor.viewport.scale).toBeLessThan(scale);
    press("à", "Digit0", ctrl);
    expect(t.editor.viewport.scale).toBeCloseTo(scale, 6);
    expect(press("@", "Digit0", { ctrl: true, alt: true })).toBe(false); // AltGr
  });

  it("ask for submission, skip and help, and leave other keys alone", async () => {
    const t = await new TestEditor().open();
    const asked: string[] = [];
    t.editor.on("command", (c) => asked.push(c));
    t.key("Ctrl+Enter").key("Ctrl+ ").key("?").key("Ctrl+s");
    expect(asked).toEqual(["submit", "skip", "help", "save"]);
    t.key("Ctrl+Enter", true).key("Ctrl+ ", true).key("y", true).key("t", true); // held
    expect(asked.length).toBe(4);
    const input = { code: "", ctrl: true, shift: false, alt: false, repeat: false };
    for (const key of ["b", "e", "1", "r", "p", "i"]) expect(keyDown(t.editor, { ...input, key })).toBe(false);
    expect(keyDown(t.editor, { ...input, ctrl: false, key: "ö" })).toBe(false);
  });

  it("are all in the help, none twice", () => {
    const keys = bindings.map((b) => b.keys);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("a person's own keys", () => {
  const press = (t: TestEditor, key: string) => t.key(key);

  it("stand for the table's, which then does nothing, and are kept", async () => {
    const t = await new TestEditor().open();
    const { settings } = t.editor;
    const map = keymapOf(settings.get("keys"));
    expect(map.refusal("b", "p")).toContain("The photograph alone");
    expect(map.refusal("b", "Escape")).toContain("stays what it is");
    expect(map.refusal("b", "Ctrl+w")).toContain("stays what it is");
    expect(map.refusal("b", "7")).toContain("stays what it is");
    expect(map.refusal("nothing", "z")).not.toBe("");
    map.give("p", "Shift+p");
    map.give("b", "p");
    settings.set("keys", map.toString());
    press(t, "e");
    press(t, "p");
    expect(t.editor.tool).toBe("brush");
    press(t, "e");
    press(t, "b");
    expect(t.editor.tool).toBe("eraser");
    t.hold("Shift+p");
    expect(t.editor.showPhotograph).toBe(true);
    t.key("Shift+p");
    expect(t.editor.showPhotograph).toBe(false);
    const storage = new MemoryStorage();
    const first = new Settings(storage);
    first.set("keys", map.toString());
    expect(keymapOf(new Settings(storage).get("keys")).chord("b")).toBe("p");
    expect(keysOf(bindings[0]!, map)).toBe("P");
    map.give("b", "b");
    map.give("p", "p");
    expect(map.changed).toBe(false);
  });

  it("are told apart by letter on every layout, and what is kept wrongly is nobody's choice", () => {
    const chord = (key: string, code: string, shift = false, ctrl = false) => chordOf({ key, code, shift, ctrl, alt: false });
    expect([chord("и", "KeyB"), chord("B", "KeyB", true), chord("<", "IntlBackslash", true), chord("s", "KeyS", false, true)]).toEqual(["b", "Shift+b", "<", "Ctrl+s"]);
    for (const kept of ["", "7", "[1]", '{"b":7}', '{"b":"Tab"}', '{"none":"z"}', "null"]) expect(keymapOf(kept).changed).toBe(false);
    const chords = movable.map((b) => b.chord);
    expect(new Set(chords).size).toBe(chords.length);
    for (const b of movable) expect(keymapOf("{}").refusal(b.chord, "z"), b.does).toBe("");
  });

  it("can change places, be taken back one by one, and take nothing from what has no key of its own", () => {
    const map = keymapOf("{}");
    for (const [of, chord] of [["b", "z"], ["e", "b"], ["b", "e"]] as const) {
      expect(map.refusal(of, chord)).toBe("");
      map.give(of, chord);
    }
    expect(keymapOf(map.toString()).toString()).toBe(map.toString());
    map.give("Ctrl+Enter", "Ctrl+m");
    expect(map.refusal("Ctrl+Enter", "Ctrl+Enter")).toBe("");
    for (const chord of ["a", "Shift+a", "Ctrl+s", "Ctrl++", "Alt+-", "Enter", "[", "3", "?", " "]) expect(map.refusal("s", chord), chord).toContain("stays what it is");
  });

  it("let go of what was held, whichever modifier is lifted first", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("keys", '{"p":"Shift+z"}');
    const z = { code: "KeyZ", ctrl: false, alt: false, repeat: false };
    keyDown(t.editor, { ...z, key: "Z", shift: true });
    expect(t.editor.showPhotograph).toBe(true);
    keyUp(t.editor, { ...z, key: "z", shift: false });
    expect(t.editor.showPhotograph).toBe(false);
  });

  it("do nothing without Ctrl or Alt where that is switched off", async () => {
    const t = await new TestEditor().open();
    const asked: string[] = [];
    t.editor.on("command", (c) => asked.push(c));
    t.editor.settings.set("singleKeys", false);
    t.key("e").key("3").key("x").key("?");
    expect([t.editor.tool, t.editor.settings.get("strength"), asked]).toEqual(["brush", 1, []]);
    t.key("ArrowUp").key("Alt+ArrowUp").key("Ctrl+Enter");
    expect([t.values[7 * 14 + 7], asked]).toEqual([Math.fround(0.05), ["submit"]]);
  });
});

describe("editing by keyboard", () => {
  it("moves a cell cursor and changes one cell, a held key being one step", async () => {
    const t = await new TestEditor().open();
    t.key("ArrowRight"); // puts it in the middle
    expect(t.editor.cell).toBe(7 * 14 + 7);
    t.key("ArrowUp").key("ArrowLeft").key("Ctrl+ArrowLeft");
    expect(t.editor.cell).toBe(6 * 14 + 2);
    for (let i = 0; i < 9; i++) t.key("Ctrl+ArrowLeft").key("ArrowUp");
    expect(t.editor.cell).toBe(0);
    t.key("+");
    expect(t.values[0]).toBe(Math.fround(0.05));
    for (let i = 0; i < 25; i++) t.key("+", true);
    expect(t.values[0]).toBe(1);
    expect(t.history.steps.length).toBe(1);
    t.key("Alt+-");
    expect(t.values[0]).toBe(Math.fround(0.99));
    expect(t.history.steps.length).toBe(2);
    t.key("Ctrl+z").key("Ctrl+z");
    expect(t.values[0]).toBe(0);
  });

  it("selects a region, changes all of it at once, and lets it go", async () => {
    const t = await new TestEditor().open();
    t.key("ArrowUp").key("Shift+ArrowRight").key("Ctrl+Shift+ArrowDown").key("Shift+ArrowUp"); // from row 8, column 8
    expect([t.editor.region?.rows, t.editor.region?.columns]).toEqual([[8, 11], [8, 9]]);
    expect(regionWords(t.editor.region!, t.values)).toBe("rows 8 to 11, columns 8 to 9, 8 cells, mean 0.00");
    t.key("Alt+ArrowUp").key("+", true);
    expect(Array.from(t.values).filter((v) => v > 0)).toEqual(new Array(8).fill(Math.fround(0.1)));
    expect(t.history.steps.length).toBe(1);
    t.key("Enter"); // paints it
    expect(t.values[8 * 14 + 8]).toBe(1);
    t.key("Ctrl+z").key("Ctrl+z");
    t.key("Shift+ArrowLeft");
    expect(t.editor.region?.columns).toEqual([8, 8]);
    t.key("ArrowLeft");
    expect([t.editor.region, t.editor.document.selection]).toEqual([null, null]);
    t.key("Alt+Shift+ArrowDown");
    expect(t.history.position).toBe(0); // it was 0 already
    t.click(2, 2);
    t.key("Shift+ArrowDown");
    expect(regionWords(t.editor.region!, t.values)).toBe("row 8, column 8, 1 cell, mean 0.00"); // begins in the middle
  });

  it("dabs on the cell, and a finger or mouse puts the cursor away", async () => {
    const t = await new TestEditor().open();
    t.key("ArrowUp").key("Enter");
    expect(t.values[7 * 14 + 7]).toBeGreaterThan(0.5);
    expect(t.history.steps.length).toBe(1);
    t.click(2, 2);
    expect(t.editor.cell).toBe(-1);
  });

  it("says row, column, value, what it was and the gain", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(Math.fround(0.31)));
    t.key("ArrowUp");
    t.editor.nudge(0.41, false);
    expect(cellWords(t.desk, t.editor.cell)).toEqual({ place: "r 8 c 8", value: "0.72", was: "was 0.31", gain: "gain 1.72×" });
    t.editor.nudge(-1, false);
    expect(cellWords(t.desk, t.editor.cell).gain).toBe("gain 1.00× not amplified");
    const m = await new TestEditor().open(14, undefined, { mechanism: mechanisms.M });
    expect(cellWords(m.desk, 0).gain).toBe("gain 0.00× hidden");
    const other = await new TestEditor().open(14, undefined, { mechanism: mechanisms.other });
    expect(cellWords(other.desk, 0).gain).toBe("");
  });
});

describe("settings", () => {
  it("are found again, and nonsense is not taken", () => {
    const storage = new MemoryStorage();
    const settings = new Settings(storage);
    settings.set("size", 4.5);
    settings.set("colorMap", "magma");
    settings.set("hardness", 7);
    settings.set("view", "upside down" as never);
    const again = new Settings(storage);
    expect([again.get("size"), again.get("colorMap"), again.get("hardness"), again.get("view")]).toEqual([4.5, "magma", 1, "smooth"]);
    storage.setItem("abn-editor/settings", '{"size":"big","opacity":null,"mode":"explode"}');
    expect(new Settings(storage).get("mode")).toBe("set");
    storage.setItem("abn-editor/settings", "not json");
    expect(new Settings(storage).get("size")).toBe(2.5);
    expect(new Settings(null).get("strength")).toBe(1);
  });
});

describe("a letter", () => {
  it("is that of the key where the layout writes no Latin one", () => {
    const of = (key: string, code: string) => letterOf({ key, code });
    expect([of("B", "KeyB"), of("я", "KeyZ"), of("У", "KeyE"), of("ψ", "KeyC"), of("ש", "KeyA"), of("Process", "KeyE"), of("ı", "KeyI")]).toEqual(["b", "z", "e", "c", "a", "e", "i"]);
    expect([of(";", "KeyQ"), of(":", "KeyQ"), of("/", "KeyQ"), of("'", "KeyW"), of("لا", "KeyB")]).toEqual(["q", "q", "q", "w", "b"]); // Greek, Hebrew, Arabic
    expect([of("a", "KeyQ"), of("?", "KeyM")]).toEqual(["a", "?"]); // AZERTY: what it writes
    expect([of("ö", "Semicolon"), of("é", "Digit2"), of("Enter", "Enter"), of("[", "BracketLeft"), of("Process", "Digit1")]).toEqual(["ö", "é", "Enter", "[", "Process"]);
  });
});
