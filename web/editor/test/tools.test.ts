import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flood } from "../src/flood.ts";
import { mapPoint } from "../src/geometry.ts";
import { floodColours } from "../src/colours.ts";
import { tapTime } from "../src/editor.ts";
import { boxCoverage, ellipseCoverage, polygonCoverage } from "../src/selection.ts";
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

  it("of an ellipse have its area, and with Shift are even on the picture", async () => {
    const ellipse = ellipseCoverage(mapPoint(1, 2), mapPoint(7, 5), 8, 8);
    expect(sum(ellipse)).toBeCloseTo(Math.PI * 3 * 1.5, 6);
    expect(ellipse[3 * 8 + 4]).toBeCloseTo(1, 12);
    expect(sum(ellipseCoverage(mapPoint(7, 5), mapPoint(1, 2), 8, 8))).toBeCloseTo(sum(ellipse), 12);
    expect(sum(ellipseCoverage(mapPoint(3, 3), mapPoint(3, 6), 8, 8))).toBe(0);
    const t = await new TestEditor().open(10, undefined, { view: { x: 0, y: 0, width: 200, height: 100 } }); // cells twice as wide as high
    t.key("o").pointerDown(1, 1).pointerMove(3, 3, { shift: true }).pointerUp(3, 3, { shift: true });
    expect(sum(t.editor.document.selection!.coverage)).toBeCloseTo(Math.PI * 1 * 2, 6);
    t.key("r").pointerDown(5, 5).pointerUp(3, 4, { shift: true });
    expect(sum(t.editor.document.selection!.coverage)).toBeCloseTo(2 * 4, 6);
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

describe("flood by colour", () => {
  // A picture of 8×8: its left half is red, but for a green pixel; the right half is blue.
  const colours = { width: 8, height: 8, data: Array.from({ length: 64 }, (_, i) => (i === 9 ? [0, 255, 0, 255] : i % 8 < 4 ? [200 + (i % 3), 0, 0, 255] : [0, 0, 255, 255])).flat() };

  it("covers cells by the area of what is connected and alike", () => {
    const red = floodColours(colours, 4, 4, 0.01, 0.01, 0.05);
    expect([...red].map((c) => Math.round(c * 100))).toEqual([75, 100, 0, 0, 100, 100, 0, 0, 100, 100, 0, 0, 100, 100, 0, 0]);
    expect(sum(floodColours(colours, 3, 3, 0.9, 0.5, 0.05))).toBeCloseTo(4.5, 5);
    expect(sum(floodColours(colours, 3, 3, 0.9, 0.5, 1))).toBeCloseTo(9, 5);
    expect(sum(floodColours(colours, 3, 3, 1.2, 0.5, 1))).toBe(0);
  });

  it("is one step, and by value where no picture is known", async () => {
    const t = await new TestEditor().open(4);
    t.editor.settings.set("floodBy", "colour");
    t.editor.colours = colours;
    t.key("f").click(0.5, 2.5);
    expect([t.values[4], t.values[7]]).toEqual([1, 0]);
    t.editor.colours = null;
    t.click(3.5, 2.5);
    expect(t.history.steps.map((s) => s.label)).toEqual(["Flood by colour", "Flood fill"]);
  });
});

describe("a straight line", () => {
  const shift = { shift: true };

  it("goes on from where the last stroke ended, and follows the pointer until it is lifted", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("size", 1);
    t.stroke([1.5, 1.5], [1.6, 1.5]);
    t.pointerDown(1.5, 12.5, shift).pointerMove(12.5, 12.5, shift);
    expect(t.values[12 * 14 + 1]).toBe(0); // no longer where it was pressed
    t.pointerMove(12.5, 1.5, shift).pointerUp(12.5, 1.5, shift);
    expect(t.values[1 * 14 + 7]).toBeGreaterThan(0.5);
    expect(t.values[7 * 14 + 7]).toBe(0);
    expect(t.history.steps.map((s) => s.label)).toEqual(["Brush", "Brush"]);
    t.key("Ctrl+z");
    expect(t.values[1 * 14 + 7]).toBe(0);
  });

  it("begins where it is pressed on an untouched map, and can be given up", async () => {
    const t = await new TestEditor().open();
    t.pointerDown(2.5, 2.5, shift).pointerMove(10.5, 2.5, shift);
    expect(t.values[2 * 14 + 6]).toBeGreaterThan(0.5);
    t.editor.cancel();
    expect(sum(t.values)).toBe(0);
    expect(t.editor.lastPoint).toBeNull();
  });

  it("comes from the keyboard, and from a switch where there is no Shift", async () => {
    const t = await new TestEditor().open();
    t.key("ArrowUp").key("Enter").key("Ctrl+ArrowRight").key("Shift+Enter");
    expect(t.values[7 * 14 + 9]).toBeGreaterThan(0.5);
    t.editor.settings.set("straight", true);
    t.editor.cell = -1;
    t.pointerDown(2.5, 2.5, { type: "touch" }).pointerMove(2.5, 12.5, { type: "touch" }).pointerUp(11.5, 12.5, { type: "touch" });
    expect(t.values[12 * 14 + 2]).toBe(0);
  });
});

describe("a tool's key", () => {
  it("chooses the tool by a tap, and lends it while it is held or used", async () => {
    const t = await new TestEditor().open();
    t.key("e");
    expect(t.editor.tool).toBe("eraser");
    t.hold("o");
    await t.wait(tapTime + 1);
    t.hold("o"); // as the keyboard repeats it
    t.key("o");
    expect(t.editor.tool).toBe("ellipse"); // pressed anew: a tap
    t.key("b").hold("e").stroke([2, 2], [4, 2]);
    t.release("e");
    expect(t.editor.tool).toBe("brush");
    expect(t.history.steps).toEqual([]); // nothing was there to erase
    t.hold("s");
    await t.wait(tapTime + 1);
    t.release("s");
    expect(t.editor.tool).toBe("brush");
  });

  it("that is lifted in the middle of a stroke lets it end first", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(1));
    t.hold("e").pointerDown(2.5, 2.5).release("e");
    t.pointerMove(9.5, 2.5);
    expect(t.editor.tool).toBe("eraser");
    t.pointerUp(9.5, 2.5);
    expect(t.editor.tool).toBe("brush");
    expect(t.history.steps.map((s) => s.label)).toEqual(["Erase"]);
  });
});

describe("Alt and the right button", () => {
  it("size the brush to the side and its hardness up and down, and paint nothing", async () => {
    const t = await new TestEditor().open();
    const { settings } = t.editor;
    const size = settings.get("size");
    t.pointerDown(5, 5, { button: 2, alt: true }).pointerMove(7, 5, { button: 2, alt: true });
    expect(settings.get("size")).toBeCloseTo(size + 4, 1);
    expect(t.editor.ring).toEqual(t.editor.toScreen(mapPoint(5, 5)));
    t.pointerMove(-90, 2, { button: 2 });
    expect(settings.get("size")).toBe(0.25);
    expect(settings.get("hardness")).toBeGreaterThan(0.5);
    t.pointerUp(-90, 2, { button: 2 });
    expect(t.editor.sizing).toBeNull();
    expect(t.history.steps).toEqual([]);
  });
});

describe("the whole map", () => {
  it("is filled, sharpened, normalised and bent by gamma, each one step of undo", async () => {
    const model = Array.from({ length: 196 }, (_, i) => Math.fround(0.2 + ((i * 7) % 10) / 20));
    const t = await new TestEditor().open(14, model);
    t.key("Shift+N");
    expect([Math.min(...t.values), Math.max(...t.values)]).toEqual([0, 1]);
    t.key("Shift+G");
    expect(t.values[1]).toBeLessThan((model[1]! - 0.2) / 0.45);
    t.key("Shift+G", true).key("Shift+H").key("Shift+S").key("Shift+B").key("Shift+I");
    t.editor.settings.set("strength", 0.4);
    t.key("Shift+F");
    expect(new Set(t.values)).toEqual(new Set([Math.fround(0.4)]));
    expect(t.history.steps.map((s) => s.label)).toEqual(["Normalise", "Gamma", "Gamma", "Sharpen", "Blur", "Invert", "Fill all"]);
    t.key("Shift+N");
    expect(t.notices.at(-1)).toContain("same value");
    for (let i = 0; i < 7; i++) t.key("Ctrl+z");
    expect(t.editor.document.isModels).toBe(true);
  });

  it("keeps to the selection, and shows a gamma before it is applied", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.25));
    t.key("r").stroke([0, 0], [7, 14]);
    t.editor.previewGamma(0.5);
    expect([t.editor.ahead![0], t.editor.ahead![13], t.values[0]]).toEqual([0.5, 0.25, 0.25]);
    t.editor.applyGamma(0.5);
    expect([t.editor.ahead, t.values[0], t.values[13]]).toEqual([null, 0.5, 0.25]);
    expect(t.history.steps.length).toBe(1);
  });

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
