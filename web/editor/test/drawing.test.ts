import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { around, bounds, grown } from "../src/geometry.ts";
import { paintSmooth, pixelsOf, type HeatStyle } from "../src/render/heat.ts";
import { movingOverlay, stretchedRange } from "../src/render/scene.ts";
import { TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("what is drawn anew", () => {
  it("is the least rectangle around what moved", () => {
    const a = { x: 1, y: 2, width: 3, height: 4 }, b = { x: 10, y: 0, width: 1, height: 1 };
    expect(around(a, b)).toEqual({ x: 1, y: 0, width: 10, height: 6 });
    expect([around(a, null), around(null, b), around(null, null)]).toEqual([a, b, null]);
    expect(bounds([{ x: 3, y: 1 }, { x: -1, y: 5 }])).toEqual({ x: -1, y: 1, width: 4, height: 4 });
    expect(grown(a, 2)).toEqual({ x: -1, y: 0, width: 7, height: 8 });
  });

  it.each([1, 3, 4, 24])("leaves the same pixels as all of it would, with %d pixels a cell", (factor) => {
    const rows = 7, columns = 5;
    const style: HeatStyle = { kind: "map", colors: "viridis" };
    const values = Float32Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 100) / 100);
    const before = new Uint32Array(rows * columns * factor * factor);
    paintSmooth(values, rows, columns, factor, style, before);
    values[2 * columns + 3] = 1;
    const part = before.slice(), all = before.slice();
    paintSmooth(values, rows, columns, factor, style, part, pixelsOf({ top: 2, left: 3, bottom: 3, right: 4 }, rows, columns, factor));
    paintSmooth(values, rows, columns, factor, style, all);
    expect(part).toEqual(all);
    expect(part).not.toEqual(before);
  });

  it("has the brush's ring, the line that Shift would paint, and the keyboard's cell", async () => {
    const t = await new TestEditor().open();
    t.pointerMove(3, 3);
    const ring = movingOverlay(t.editor)!;
    const at = t.editor.hover!;
    expect(ring.x).toBeLessThan(at.x);
    expect(ring.x + ring.width).toBeGreaterThan(at.x);
    t.click(3, 3).hold("Shift");
    t.pointerMove(10, 10, { shift: true });
    expect(movingOverlay(t.editor)!.width).toBeGreaterThan(ring.width * 2);
    t.release("Shift");
    t.editor.pointerLeft();
    expect(movingOverlay(t.editor)).toBeNull();
    t.key("ArrowUp");
    expect(movingOverlay(t.editor)).not.toBeNull();
  });
});

describe("stretched colours", () => {
  it("go from the least to the largest value that is shown, and only where that is asked for", async () => {
    const t = await new TestEditor().open(2, [0.2, 0.3, 0.4, 0.6]);
    expect(stretchedRange(t.editor)).toBeNull();
    t.key("u");
    const range = stretchedRange(t.editor)!;
    expect(range.map((v) => Math.round(v * 10) / 10)).toEqual([0.2, 0.6]);
    const out = new Uint32Array(4), whole = new Uint32Array(4);
    paintSmooth(t.values, 2, 2, 1, { kind: "map", colors: "grey", range }, out);
    paintSmooth(Float32Array.of(0, 0.25, 0.5, 1), 2, 2, 1, { kind: "map", colors: "grey" }, whole);
    const levels = (pixels: Uint32Array) => Array.from(pixels, (pixel) => pixel & 255);
    levels(out).forEach((level, i) => expect(Math.abs(level - levels(whole)[i]!)).toBeLessThanOrEqual(1)); // float32
    const flat = await new TestEditor().open(2, [0.5, 0.5, 0.5, 0.5]);
    flat.key("u");
    expect(stretchedRange(flat.editor)).toBeNull(); // nothing to stretch
  });
});
