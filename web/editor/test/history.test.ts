import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeHistory, encodeHistory, historyBudget } from "../src/history_codec.ts";
import { History, maxSteps } from "../src/history.ts";
import { MapDocument } from "../src/document.ts";
import { checksum, fromWire, sameBits, shortest, toWire, type WireMap } from "../src/grid.ts";
import { savedEdit, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Deterministic float32 values in [0,1), many of them awkward. */
function noise(n: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

describe("round trip", () => {
  it("writes the shortest decimal that is the same float32", () => {
    expect(shortest(Math.fround(0.1))).toBe(0.1);
    expect(shortest(Math.fround(1 / 3))).toBe(0.33333334);
    expect(shortest(2 ** -149)).toBe(1e-45); // subnormals too
    expect(JSON.stringify(toWire(Float32Array.of(0, 1, 0.5, 0.72)))).toBe("[0,1,0.5,0.72]");
    for (const v of noise(20000)) expect(Math.fround(shortest(v))).toBe(v);
  });

  it("sends nothing when a map is opened and closed, and the same bits after an undone stroke", async () => {
    const model = [...noise(196)];
    const t = await new TestEditor().open(14, model);
    t.key("g").key("d").key("m").key("Ctrl+0");
    await t.wait(5000);
    t.desk.leave();
    expect(t.saves.length).toBe(0);
    t.stroke([2, 2], [11, 9]).key("Ctrl+z");
    await t.wait(1000);
    const sent = JSON.parse(JSON.stringify(t.saves[0]!.body["map"])) as WireMap;
    expect(sameBits(fromWire(sent), Float32Array.from(model))).toBe(true);
  });
});

describe("undo", () => {
  it("takes one stroke for one step", async () => {
    const t = await new TestEditor().open();
    t.stroke([2, 2], [5, 5], [9, 3], [2, 2]);
    expect(t.history.steps.length).toBe(1);
    t.key("e").stroke([12, 12], [13, 13]); // nothing to erase there: no step
    expect(t.history.steps.length).toBe(1);
    t.key("Ctrl+z");
    expect([...t.values].every((v) => v === 0)).toBe(true);
  });

  it("goes back over 150 strokes and forth again, to the bit", async () => {
    const t = await new TestEditor().open(14, [...noise(196)]);
    const states: Float32Array[] = [t.values.slice()];
    for (let i = 0; i < 150; i++) {
      t.editor.settings.set("strength", ((i * 37) % 100) / 100);
      t.stroke([i % 13, (i * 5) % 13], [(i * 3) % 13, (i * 7) % 13]);
      if (t.history.position === states.length) states.push(t.values.slice());
    }
    const n = t.history.position;
    expect(n).toBeGreaterThan(120);
    for (let i = n - 1; i >= 0; i--) {
      t.key("Ctrl+z");
      expect(sameBits(t.values, states[i]!)).toBe(true);
    }
    for (let i = 1; i <= n; i++) t.key(i % 2 ? "Ctrl+y" : "Ctrl+Shift+Z");
    expect(sameBits(t.values, states[n]!)).toBe(true);
  });

  it("ends the stroke under way, which then paints nothing more", async () => {
    const t = await new TestEditor().open();
    t.pointerDown(3, 3).pointerMove(6, 6).key("Ctrl+z").pointerMove(9, 9).pointerUp(9, 9);
    expect([...t.values].every((v) => v === 0)).toBe(true);
    expect(t.history.steps.length).toBe(1);
    expect(t.history.canRedo).toBe(true);
  });

  it("forgets what was undone once something else is painted", async () => {
    const t = await new TestEditor().open();
    t.click(2, 2).click(5, 5).key("Ctrl+z").click(9, 9);
    expect(t.history.steps.length).toBe(2);
    expect(t.history.canRedo).toBe(false);
  });

  it("survives a reload: 120 strokes, some of them undone", async () => {
    const t = await new TestEditor().open(14, [...noise(196)]);
    const start = t.values.slice();
    for (let i = 0; i < 120; i++) {
      t.editor.settings.set("strength", i % 2 ? 0.9 : 0.1);
      t.click((i * 3) % 14, (i * 5) % 14);
    }
    for (let i = 0; i < 5; i++) t.key("Ctrl+z");
    await t.wait(2000);
    const last = t.saves[t.saves.length - 1]!.body;
    const text = JSON.stringify(last["history"]);
    expect(text.length).toBeLessThan(1 << 20);
    const again = await new TestEditor().open(14, [...start], {
      edit: savedEdit(t.revision, JSON.parse(JSON.stringify(last["map"])) as WireMap, { history: JSON.parse(text) as unknown }),
    });
    expect(sameBits(again.values, t.values)).toBe(true);
    expect(again.history.position).toBe(115);
    for (let i = 0; i < 5; i++) again.key("Ctrl+y");
    for (let i = 0; i < 120; i++) again.key("Ctrl+z");
    expect(sameBits(again.values, start)).toBe(true);
  });

  it("keeps its newest steps within the budget on a 56×56 map", () => {
    const document = new MapDocument(56, 56, new Float32Array(56 * 56));
    for (let i = 0; i < 130; i++) document.replace(`step ${i}`, noise(56 * 56, i + 1));
    const wire = encodeHistory(document.history, document.values);
    expect(JSON.stringify(wire).length).toBeLessThan(1 << 20);
    expect(wire.steps.length).toBeGreaterThanOrEqual(50);
    const back = decodeHistory(wire, document.values)!;
    const history = new History();
    history.restore(back.steps, back.position, back.dropped);
    const values = document.values.slice();
    for (let i = 0; i < 50; i++) {
      history.undo(values);
      document.undo();
    }
    expect(sameBits(values, document.values)).toBe(true);
    expect(historyBudget).toBeLessThan(1 << 20);
  });

  it("is not taken from a map it does not belong to, or from damage", () => {
    const document = new MapDocument(2, 2, new Float32Array(4));
    document.setCell("Cell", 1, 0.5, false);
    const wire = encodeHistory(document.history, document.values);
    expect(decodeHistory(wire, document.values)?.position).toBe(1);
    expect(decodeHistory(wire, Float32Array.of(0, 0.5, 0.1, 0))).toBeNull();
    expect(decodeHistory({ ...wire, steps: [{ l: "x", n: 900, k: "s", d: "AAAA" }] }, document.values)).toBeNull();
    expect(decodeHistory({ nonsense: true }, document.values)).toBeNull();
    expect(checksum(document.values)).toMatch(/^[0-9a-f]{8}$/);
  });

  it("keeps at most its number of steps", () => {
    const document = new MapDocument(1, 2, new Float32Array(2));
    for (let i = 0; i < maxSteps + 20; i++) document.setCell("Cell", 0, i % 2 ? 0.5 : 0.25, false);
    expect(document.history.steps.length).toBe(maxSteps);
    expect(document.history.dropped).toBe(20);
    while (document.undo());
    expect(document.history.position).toBe(0);
  });
});
