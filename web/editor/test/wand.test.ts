import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { alike, type Likeness } from "../src/likeness.ts";
import { sum, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A picture of which the left `inside` columns are one thing, and the rest another. */
function halves(side: number, inside: number): Likeness {
  const kind = (cell: number) => cell % side < inside;
  const cells = side * side;
  const cosines = Int8Array.from({ length: cells * cells }, (_, i) => (kind(Math.floor(i / cells)) === kind(i % cells) ? 100 : -60));
  for (let i = 0; i < cells; i++) cosines[i * cells + i] = 127;
  return { rows: side, columns: side, cosines };
}

const wire = ({ rows, columns, cosines }: Likeness) => ({ h: rows, w: columns, cosines: btoa(String.fromCharCode(...new Uint8Array(cosines.buffer))), milliseconds: 1 });

describe("places that are alike", () => {
  it("are selected from a threshold on, less what is like a place taken away", () => {
    const likeness = halves(4, 2);
    const left = alike(likeness, [{ x: 0.1, y: 0.1, add: true }], 0.25, 4, 4);
    expect([...left.slice(0, 4)]).toEqual([1, 1, 0, 0]);
    expect(sum(alike(likeness, [{ x: 0.1, y: 0.1, add: true }], 0.9, 4, 4))).toBeCloseTo(1, 6); // only itself
    expect(sum(alike(likeness, [{ x: 0.1, y: 0.1, add: true }, { x: 0.9, y: 0.1, add: true }], 0.25, 4, 4))).toBe(16);
    expect(sum(alike(likeness, [{ x: 0.1, y: 0.1, add: true }, { x: 0.3, y: 0.9, add: false }], 0.25, 4, 4))).toBeLessThan(1.01);
    expect(sum(alike(likeness, [{ x: 0.1, y: 0.1, add: false }], 0.25, 4, 4))).toBe(0);
  });

  it("cover a finer map by the grid that they were compared on", () => {
    expect(sum(alike(halves(4, 2), [{ x: 0.1, y: 0.1, add: true }], 0.25, 8, 8))).toBe(32);
  });
});

describe("the wand", () => {
  it("is used with the keyboard alone: Shift and Enter add the cell, Alt and Enter take it away", async () => {
    const t = await new TestEditor().open(4);
    t.network.on("GET", /likeness$/, () => [200, wire(halves(4, 2))]);
    t.editor.cell = 0;
    t.key("q").key("Enter");
    await t.settle();
    expect(sum(t.editor.document.selection!.coverage)).toBe(8);
    t.editor.cell = 3;
    t.key("Shift+Enter");
    expect([sum(t.editor.document.selection!.coverage), t.editor.wandClicks]).toEqual([16, 2]);
    t.key("Alt+Enter");
    expect([sum(t.editor.document.selection!.coverage), t.editor.wandClicks, t.history.steps.length]).toEqual([8, 3, 0]);
    t.key("Enter");
    expect(t.history.steps.map((s) => s.label)).toEqual(["Fill"]);
  });

  it("asks once a task, selects by clicks, and paints at the brush's strength as one step", async () => {
    const t = await new TestEditor().open(4);
    let answer = (): void => undefined;
    t.network.on("GET", /likeness$/, (r) => { answer = () => void r.reply(200, wire(halves(4, 2))); return "wait"; });
    t.key("q").click(0.5, 0.5);
    t.click(1.5, 2.5);
    expect(t.editor.document.selection).toBeNull();
    answer();
    await t.settle();
    expect(t.network.of("GET", /likeness$/).length).toBe(1);
    expect(sum(t.editor.document.selection!.coverage)).toBe(8);
    expect(t.editor.document.selection!.edges!.length).toBeGreaterThan(0);
    t.pointerDown(3.5, 0.5, { alt: true }).pointerUp(3.5, 0.5, { alt: true }); // takes away what is not there
    expect(sum(t.editor.document.selection!.coverage)).toBe(8);
    t.click(3.5, 3.5);
    expect(t.editor.wandClicks).toBe(4);
    t.editor.settings.set("alikeness", 0.95); // nothing but the places themselves
    t.editor.settings.set("alikeness", 0.25);
    t.key("Escape");
    expect([t.editor.document.selection, t.editor.wandClicks]).toEqual([null, 0]);
    t.click(0.5, 0.5);
    t.editor.settings.set("strength", 0.6);
    t.key("Enter");
    expect([t.values[0], t.values[2], t.values[12]]).toEqual([Math.fround(0.6), 0, Math.fround(0.6)]);
    expect(t.history.steps.map((s) => s.label)).toEqual(["Fill"]);
    expect(t.network.of("GET", /likeness$/).length).toBe(1);
  });

  it("takes away where that is chosen, for who has no Alt, and forgets another picture's places", async () => {
    const t = await new TestEditor().open(4);
    t.network.on("GET", /likeness$/, () => [200, wire(halves(4, 2))]);
    t.key("q").click(0.5, 0.5);
    await t.settle();
    t.editor.settings.set("wand", "take");
    t.click(1.5, 1.5);
    expect(t.editor.document.selection?.coverage[5] ?? 0).toBe(0);
    await t.open(4);
    t.editor.settings.set("wand", "add");
    t.click(0.5, 0.5);
    expect(t.editor.document.selection).toBeNull();
    await t.settle();
    expect(t.network.of("GET", /likeness$/).length).toBe(2);
  });

  it("says why nothing is selected", async () => {
    const t = await new TestEditor().open(4);
    t.network.on("GET", /likeness$/, () => [422, { title: "Not possible", detail: "the network has no such features" }]);
    t.key("q").click(0.5, 0.5);
    await t.settle();
    expect(t.notices.at(-1)).toContain("no such features");
  });
});
