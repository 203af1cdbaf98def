import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fingertip, penRest } from "../src/input/pointer.ts";
import { sum, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const cell = (t: TestEditor, x: number, y: number) => t.values[Math.floor(y) * 14 + Math.floor(x)] ?? NaN;
const pen = { id: 5, type: "pen", pressure: 0.5 } as const;
const touch = (id: number, contact = 20) => ({ id, type: "touch", contact }) as const;

describe("paint", () => {
  it("is under the pointer at once, and does not cut corners", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("size", 1);
    t.pointerDown(2.5, 2.5).pointerMove(10.5, 2.5);
    expect(cell(t, 10, 2)).toBeGreaterThan(0.5); // the pointer is still down
    t.pointerMove(10.5, 10.5);
    expect(cell(t, 10, 10)).toBeGreaterThan(0.5);
    expect(cell(t, 10, 3)).toBeGreaterThan(0.5); // just after the corner
    expect(cell(t, 9, 4)).toBe(0); // inside of it
  });

  it("follows more slowly where it is stabilised, goes on to the pointer while the hand rests, and the ring is where it is", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("size", 1);
    t.editor.settings.set("stabilising", 0.5);
    t.pointerDown(2.5, 2.5);
    await t.wait(16);
    t.pointerMove(10.5, 2.5);
    expect(cell(t, 10, 2)).toBe(0);
    const ring = () => t.editor.toMap(t.editor.ring!).x;
    expect(ring()).toBeGreaterThan(2.6);
    expect(ring()).toBeLessThan(9);
    await t.wait(1000);
    expect(ring()).toBeCloseTo(10.5, 3);
    expect(cell(t, 10, 2)).toBeGreaterThan(0.5);
    t.pointerMove(2.5, 10.5).pointerUp(2.5, 10.5); // lifted before it has come there
    expect(cell(t, 2, 10)).toBeGreaterThan(0.5);
    expect(t.history.steps.length).toBe(1);
    await t.wait(1000);
    expect(t.editor.ring).toEqual(t.editor.hover);
  });

  it("is not stabilised unless somebody asks for it", async () => {
    expect((await new TestEditor().open()).editor.settings.get("stabilising")).toBe(0);
  });

  it("is shown where the pointer is predicted to be, and not kept there", async () => {
    const t = await new TestEditor().open();
    t.editor.settings.set("size", 1);
    t.pointerDown(2.5, 2.5).pointerMove(4.5, 2.5);
    const before = t.values.slice();
    t.pointerAhead([6.5, 2.5], [8.5, 2.5]);
    expect(t.editor.ahead![2 * 14 + 8]).toBeGreaterThan(0.5);
    expect(t.values).toEqual(before);
    t.pointerMove(4.5, 6.5);
    expect(t.editor.ahead).toBeNull();
    t.pointerAhead([4.5, 9.5]).pointerUp(4.5, 6.5);
    expect(t.editor.ahead).toBeNull();
    expect(cell(t, 7, 2)).toBe(0);
    expect(cell(t, 4, 9)).toBe(0);
  });
});

describe("a hand on the screen", () => {
  it("gives its stroke up to the pen, and does nothing to the pen's", async () => {
    const t = await new TestEditor().open();
    t.pointerDown(12, 12, touch(1)).pointerMove(11, 12, touch(1)); // a palm that looks like a finger rests first
    expect(sum(t.values)).toBeGreaterThan(0);
    t.pointerDown(3, 3, pen);
    expect(cell(t, 11, 12)).toBe(0);
    t.pointerMove(6, 3, pen);
    const view = t.editor.viewport;
    t.pointerMove(12, 13, touch(1)).pointerDown(10, 13, touch(2)).pointerMove(9, 13, touch(2)).pointerDown(8, 13, touch(3));
    t.pointerMove(8, 3, pen).pointerUp(8, 3, pen);
    expect(t.history.steps.length).toBe(1);
    expect(cell(t, 7, 3)).toBeGreaterThan(0.5);
    expect(cell(t, 9, 13)).toBe(0);
    expect(t.editor.viewport).toBe(view);
  });

  it("never paints once a pen was seen: one finger moves the picture, two zoom it, and a switch says so", async () => {
    const t = await new TestEditor().open();
    expect(t.editor.settings.get("fingers")).toBe("paint");
    t.pointerMove(3, 3, { ...pen, pressure: 0 }); // hovering is enough
    expect(t.editor.settings.get("fingers")).toBe("pan");
    await t.wait(penRest + 1);
    const at = t.editor.toScreen({ x: 5, y: 5 } as never);
    const scale = t.editor.viewport.scale;
    t.pointerDown(5, 5, touch(1)).pointerMove(8, 5, touch(1));
    expect(sum(t.values)).toBe(0);
    expect(t.editor.toScreen({ x: 5, y: 5 } as never).x).toBeGreaterThan(at.x + 20);
    t.pointerDown(9, 9, touch(2)).pointerMove(12, 12, touch(2)).pointerUp(12, 12, touch(2)).pointerUp(5, 5, touch(1));
    expect(t.editor.viewport.scale).toBeGreaterThan(scale);
    expect(t.history.steps.length).toBe(0);
    t.editor.settings.set("fingers", "paint");
    t.pointerDown(3, 3, pen).pointerUp(3, 3, pen);
    expect(t.editor.settings.get("fingers")).toBe("paint"); // what somebody chose stays
    await t.wait(penRest + 1);
    t.pointerDown(7, 7, touch(3)).pointerUp(7, 7, touch(3));
    expect(t.history.steps.length).toBe(2);
  });

  it("does not move the picture while a pen is near", async () => {
    const t = await new TestEditor().open();
    t.pointerDown(3, 3, pen).pointerUp(3, 3, pen);
    const view = t.editor.viewport;
    t.pointerDown(9, 9, touch(1)).pointerMove(5, 5, touch(1)); // the palm after a stroke
    expect(t.editor.viewport).toBe(view);
    t.pointerUp(5, 5, touch(1));
    await t.wait(penRest + 1);
    t.pointerDown(9, 9, touch(2)).pointerMove(5, 5, touch(2));
    expect(t.editor.viewport).not.toBe(view);
  });

  it("is told from a finger by its size, also where it comes down edge first", async () => {
    const t = await new TestEditor().open();
    t.pointerDown(5, 5, touch(1, fingertip + 1)).pointerMove(8, 5, touch(1, 20)).pointerUp(8, 5, touch(1, 20));
    expect(t.history.steps.length).toBe(0);
    t.pointerDown(5, 5, touch(2)).pointerMove(6, 5, touch(2));
    expect(sum(t.values)).toBeGreaterThan(0);
    t.pointerMove(6, 6, touch(2, 2 * fingertip)).pointerMove(7, 7, touch(2)).pointerUp(7, 7, touch(2));
    expect(sum(t.values)).toBe(0);
    expect(t.history.steps.length).toBe(0);
    t.pointerDown(5, 5, touch(3, fingertip)).pointerMove(8, 5, touch(3, fingertip)).pointerUp(8, 5, touch(3, fingertip));
    expect(t.history.steps.length).toBe(1);
  });
});
