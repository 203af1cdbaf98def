import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sameBits } from "../src/grid.ts";
import { paint } from "../src/mode.ts";
import { sum, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("painting", () => {
  it("paints the brush's area", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("hardness", 1);
    t.editor.settings.set("size", 3);
    t.click(7.3, 6.9);
    expect(sum(t.values)).toBeCloseTo(Math.PI * 1.5 * 1.5, 4);
    expect(t.values[6 * 14 + 7]).toBe(1);
  });

  it("caps a stroke at its strength however often it passes", async () => {
    const t = await new TestEditor().open();
    const { settings } = t.editor;
    settings.set("mode", "add");
    settings.set("strength", 0.3);
    settings.set("hardness", 1);
    const back: [number, number][] = Array.from({ length: 40 }, (_, i) => [i % 2 ? 9 : 4, 7] as [number, number]);
    t.stroke(...back);
    expect(Math.max(...t.values)).toBeCloseTo(0.3, 6);
    t.stroke(...back);
    expect(Math.max(...t.values)).toBeCloseTo(0.6, 6);
  });

  it("covers a band when a thin brush sweeps across cells", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("hardness", 1);
    t.editor.settings.set("size", 0.5);
    t.pointerDown(2, 7.5);
    for (let x = 2; x <= 12; x += 0.25) t.pointerMove(x, 7.5);
    for (let i = 0; i < 10; i++) t.pointerMove(12, 7.5); // the smoother catches up
    t.pointerUp(12, 7.5);
    for (let c = 3; c < 11; c++) expect(t.values[7 * 14 + c]).toBeCloseTo(0.5, 1);
    expect(t.values[6 * 14 + 6]).toBe(0);
  });

  it("changes a little when a stroke moves by a pixel", async () => {
    const draw = async (dx: number) => {
      const t = await new TestEditor().open();
      return t.stroke([4 + dx, 5], [6 + dx, 7], [9 + dx, 7.5]).values.slice();
    };
    const pixel = 14 / 576; // of a picture 576 px wide on the screen
    const [a, b] = [await draw(0), await draw(pixel)];
    const most = Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(0.06);
  });

  it("does not depend on how often the pointer reports", async () => {
    const draw = async (steps: number) => {
      const t = await new TestEditor().open();
      t.pointerDown(3, 4);
      for (let i = 1; i <= steps; i++) t.pointerMove(3 + (8 * i) / steps, 4);
      for (let i = 0; i < 12; i++) t.pointerMove(11, 4);
      return t.pointerUp(11, 4).values.slice();
    };
    const [few, many] = [await draw(6), await draw(90)];
    expect(Math.max(...few.map((v, i) => Math.abs(v - many[i]!)))).toBeLessThan(0.03);
  });

  it("sets, adds, subtracts, erases and smooths as its table says", () => {
    expect(paint("set", 0.2, 1, 0.7, 0)).toBeCloseTo(0.7);
    expect(paint("set", 0.2, 0.5, 0.7, 0)).toBeCloseTo(0.45);
    expect(paint("add", 0.2, 0.5, 0.4, 0)).toBeCloseTo(0.4);
    expect(paint("subtract", 0.5, 0.5, 0.4, 0)).toBeCloseTo(0.3);
    expect(paint("erase", 0.8, 0.5, 0.5, 0)).toBeCloseTo(0.6);
    expect(paint("smooth", 0.8, 1, 0.5, 0.4)).toBeCloseTo(0.6);
  });

  it("keeps every value a float32 in [0,1]", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(Math.fround(0.9)));
    t.editor.settings.set("mode", "add");
    t.stroke([0, 0], [14, 14]).key("x").stroke([0, 14], [14, 0], [0, 0]);
    expect(t.editor.settings.get("mode")).toBe("subtract");
    for (const v of t.values) expect(v >= 0 && v <= 1 && Math.fround(v) === v).toBe(true);
    expect(Math.min(...t.values)).toBe(0);
  });

  it("leaves the bits of cells it does not touch", async () => {
    const model = Array.from({ length: 196 }, (_, i) => Math.fround(Math.sin(i) * 0.5 + 0.5));
    const t = await new TestEditor().open(14, model);
    t.click(2, 2);
    expect(sameBits(t.values.slice(100), Float32Array.from(model).slice(100))).toBe(true);
  });

  it("smooths towards the neighbourhood and keeps a flat map", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.25));
    t.key("s").stroke([3, 3], [10, 10]);
    expect(t.history.position).toBe(0);
    t.key("b").click(7.5, 7.5);
    const peak = t.values[7 * 14 + 7]!;
    t.key("s").click(7.5, 7.5);
    expect(t.values[7 * 14 + 7]!).toBeLessThan(peak);
  });

  it("paints only inside the selection", async () => {
    const t = await new TestEditor().open();
    t.key("r").stroke([0, 0], [7, 14]).key("b").stroke([1, 7], [13, 7], [13, 7], [13, 7]);
    expect(t.values[7 * 14 + 3]).toBeGreaterThan(0.5);
    for (let r = 0; r < 14; r++) for (let c = 7; c < 14; c++) expect(t.values[r * 14 + c]).toBe(0);
  });

  it("follows pen pressure", async () => {
    const dab = async (pressure: number) => {
      const t = await new TestEditor().open();
      return sum(t.pointerDown(7, 7, { type: "pen", pressure }).pointerUp(7, 7, { type: "pen", pressure }).values);
    };
    expect(await dab(0.2)).toBeLessThan((await dab(1)) / 4);
  });

  it("erases with the other end of a pen", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.5));
    t.pointerDown(7.5, 7.5, { type: "pen", button: 5 }).pointerUp(7.5, 7.5, { type: "pen", button: 5 });
    expect(t.values[7 * 14 + 7]).toBeLessThan(0.1);
    expect(t.editor.tool).toBe("brush");
  });

  it("takes a stroke back on Escape, and when a second finger comes down", async () => {
    const t = await new TestEditor().open();
    t.pointerDown(3, 3).pointerMove(8, 8);
    expect(sum(t.values)).toBeGreaterThan(0);
    t.key("Escape");
    expect(sum(t.values)).toBe(0);
    t.pointerUp(8, 8);
    t.pointerDown(3, 3, { type: "touch", id: 1 }).pointerMove(5, 5, { type: "touch", id: 1 });
    const scale = t.editor.viewport.scale;
    t.pointerDown(9, 9, { type: "touch", id: 2 });
    expect(sum(t.values)).toBe(0);
    t.pointerMove(13, 13, { type: "touch", id: 2 });
    expect(t.editor.viewport.scale).toBeGreaterThan(scale);
    t.pointerUp(13, 13, { type: "touch", id: 2 }).pointerMove(2, 2, { type: "touch", id: 1 }).pointerUp(2, 2, { type: "touch", id: 1 });
    expect(sum(t.values)).toBe(0);
    expect(t.history.steps.length).toBe(0);
    t.pointerDown(4, 4, { type: "touch", id: 3 }).pointerUp(4, 4, { type: "touch", id: 3 });
    expect(t.history.steps.length).toBe(1);
  });

  it("survives a pointer that is lost without an up, and stray events", async () => {
    const t = await new TestEditor().open();
    t.pointerMove(4, 4).pointerUp(4, 4);
    expect(t.history.steps.length).toBe(0);
    t.pointerDown(4, 4);
    t.editor.pointerLost(1);
    expect(sum(t.values)).toBe(0);
    t.pointerDown(4, 4).pointerDown(5, 5).pointerUp(5, 5);
    expect(t.history.steps.length).toBe(1);
  });

  it("changes nothing where it may only be looked at", async () => {
    const t = await new TestEditor().open(14, undefined, { state: "submitted", lease: { user_id: 8, user_name: "Ben", expires_at: "", mine: false } });
    expect(t.desk.phase.kind).toBe("reading");
    t.stroke([2, 2], [9, 9]).key("Enter").key("ArrowUp").key("+");
    t.editor.whole("clear");
    expect(sum(t.values)).toBe(0);
    expect(t.saves.length).toBe(0);
  });
});
