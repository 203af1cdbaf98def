import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flood } from "../src/flood.ts";
import { mapPoint } from "../src/geometry.ts";
import { boxCoverage, polygonCoverage } from "../src/selection.ts";
import { sum, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const square = (x: number, y: number, side: number) =>
  [mapPoint(x, y), mapPoint(x + side, y), mapPoint(x + side, y + side), mapPoint(x, y + side)];

describe("selections", () => {
  it("cover by area", () => {
    const box = boxCoverage(mapPoint(1.25, 2), mapPoint(3.5, 4.5), 8, 8);
    expect(sum(box)).toBeCloseTo(2.25 * 2.5, 6);
    expect(box[2 * 8 + 1]).toBeCloseTo(0.75, 6);
    expect(box[4 * 8 + 3]).toBeCloseTo(0.25, 6);
    const lasso = polygonCoverage(square(1.25, 2, 2.25), 8, 8);
    expect(sum(lasso)).toBeCloseTo(2.25 * 2.25, 1);
    const triangle = polygonCoverage([mapPoint(0, 0), mapPoint(6, 0), mapPoint(0, 6)], 8, 8);
    expect(sum(triangle)).toBeCloseTo(18, 3);
    expect(triangle[5]).toBeCloseTo(0.5, 2);
  });

  it("hold both loops of a lasso that crosses itself, whatever their direction", () => {
    const eight = [mapPoint(0, 0), mapPoint(4, 4), mapPoint(4, 0), mapPoint(0, 4)];
    expect(sum(polygonCoverage(eight, 8, 8))).toBeCloseTo(8, 0);
    expect(sum(polygonCoverage(square(1, 1, 3).reverse(), 8, 8))).toBeCloseTo(9, 6);
  });

  it("are clipped to the grid", () => {
    expect(sum(polygonCoverage(square(-5, -5, 30), 8, 8))).toBeCloseTo(64, 4);
    expect(sum(boxCoverage(mapPoint(-3, -3), mapPoint(99, 99), 8, 8))).toBeCloseTo(64, 4);
  });

  it("are made by lasso and box, filled, erased, kept and let go, each fill one step", async () => {
    const t = await new TestEditor().open();
    t.key("l");
    t.pointerDown(2, 2);
    for (const [x, y] of [[8, 2], [8, 2], [8, 2], [8, 8], [8, 8], [8, 8], [2, 8], [2, 8], [2, 8]] as const) t.pointerMove(x, y);
    t.pointerUp(2, 2);
    expect(t.editor.document.selection).not.toBeNull();
    expect(t.history.steps.length).toBe(0);
    t.editor.settings.set("strength", 0.5);
    t.key("Enter");
    expect(t.history.steps.map((s) => s.label)).toEqual(["Fill"]);
    expect(t.values[5 * 14 + 5]).toBe(0.5);
    expect(t.values[12 * 14 + 12]).toBe(0);
    t.key("Delete");
    expect(t.values[5 * 14 + 5]).toBe(0);
    t.key("Escape");
    expect(t.editor.document.selection).toBeNull();
    t.key("k");
    expect(t.notices.at(-1)).toContain("Draw a box or a lasso");
    t.key("r").stroke([0, 0], [14, 7]).click(10, 10);
    expect(t.editor.document.selection).toBeNull(); // a click without a shape lets go
  });
});

describe("flood fill", () => {
  it("reaches connected cells of about the same value, not across corners or rows' ends", () => {
    const values = Float32Array.of(
      0.5, 0.5, 0, 0.5,
      0.0, 0.52, 0, 0.5,
      0.5, 0.0, 0.5, 0.0,
    );
    expect([...flood(values, 3, 4, 0, 0.1)]).toEqual([1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect([...flood(values, 3, 4, 0, 0.01)]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(sum(flood(values, 3, 4, 0, 1))).toBe(12);
    expect(sum(flood(values, 3, 4, -1, 1))).toBe(0);
  });

  it("fills as the brush would paint, as one step", async () => {
    const model = Array.from({ length: 196 }, (_, i) => (i % 14 < 7 ? 0.2 : 0.8));
    const t = await new TestEditor().open(14, model);
    t.editor.settings.set("strength", 0.5);
    t.key("f").click(10, 3);
    expect(t.values[3 * 14 + 10]).toBe(0.5);
    expect(t.values[3 * 14 + 2]).toBe(Math.fround(0.2));
    expect(t.history.steps.map((s) => s.label)).toEqual(["Flood fill"]);
    t.click(-3, 3); // outside the map
    expect(t.history.steps.length).toBe(1);
  });
});

describe("the whole map", () => {
  it("is cleared, inverted, blurred, reset and confirmed, and each can be undone", async () => {
    const model = Array.from({ length: 196 }, (_, i) => Math.fround(((i * 7) % 10) / 10));
    const t = await new TestEditor().open(14, model);
    t.editor.whole("invert");
    expect(t.values[1]).toBeCloseTo(1 - model[1]!, 6);
    t.editor.whole("blur");
    expect(sum(t.values)).toBeGreaterThan(0);
    t.editor.whole("clear");
    expect(sum(t.values)).toBe(0);
    t.editor.whole("reset");
    expect(t.editor.document.isModels).toBe(true);
    expect(t.editor.document.source).toBe("painted");
    t.editor.whole("model");
    expect(t.editor.document.source).toBe("model");
    t.click(3, 3);
    expect(t.editor.document.source).toBe("painted");
    t.key("Ctrl+z");
    expect(t.editor.document.source).toBe("model");
    for (let i = 0; i < 5; i++) t.key("Ctrl+z");
    expect(t.history.position).toBe(0);
    expect(t.editor.document.isModels).toBe(true);
  });

  it("is saved as confirmed, which is not the same as untouched or all zero", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.5));
    t.editor.whole("model");
    await t.wait(300);
    expect(t.saves[0]!.body["source"]).toBe("model");
    t.editor.whole("clear");
    await t.wait(300);
    expect(t.saves[1]!.body["source"]).toBe("painted");
    expect(sum((t.saves[1]!.body["map"] as { values: number[] }).values)).toBe(0);
  });

  it("is changed inside the selection only, where there is one", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.5));
    t.key("r").stroke([0, 0], [14, 7]);
    t.editor.whole("clear");
    expect(t.values[0]).toBe(0);
    expect(t.values[13 * 14]).toBe(0.5);
    t.key("Ctrl+z");
    t.editor.whole("keep");
    expect(t.values[0]).toBe(0.5);
    expect(t.values[13 * 14]).toBe(0);
  });
});

describe("picking", () => {
  it("takes the value under the pointer as strength, by I, by Alt-click and by the tool", async () => {
    const model = Array.from({ length: 196 }, (_, i) => (i % 14) / 20);
    const t = await new TestEditor().open(14, model);
    t.pointerMove(4.5, 3.5).key("i");
    expect(t.editor.settings.get("strength")).toBeCloseTo(0.2, 6);
    t.pointerDown(8.5, 3.5, { alt: true }).pointerUp(8.5, 3.5, { alt: true });
    expect(t.editor.settings.get("strength")).toBeCloseTo(0.4, 6);
    t.editor.pointerLeft();
    t.key("i");
    expect(t.editor.tool).toBe("pick");
    t.click(10.5, 2.5);
    expect(t.editor.settings.get("strength")).toBeCloseTo(0.5, 6);
    expect(t.editor.tool).toBe("brush");
    expect(t.history.steps.length).toBe(0);
  });
});
