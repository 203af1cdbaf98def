import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WireMap } from "../src/grid.ts";
import { levels, marksFromWire, marksToWire } from "../src/marks.ts";
import { savedEdit, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const sent = (t: TestEditor): WireMap => t.saves[t.saves.length - 1]!.body["map"] as WireMap;
const marked = (t: TestEditor): string => marksToWire(t.editor.document.marks) ?? "";

describe("marks", () => {
  it("are letters on the wire, and nothing where no cell has one", () => {
    expect(marksToWire(Float32Array.of(0, levels.unknown, levels.avoided))).toBe(".?x");
    expect(marksToWire(new Float32Array(3))).toBeUndefined();
    expect([...marksFromWire(".?x", 3)]).toEqual([0, levels.unknown, levels.avoided]);
    expect([...marksFromWire(undefined, 2)]).toEqual([0, 0]);
    expect(() => marksFromWire(".?", 3)).toThrow("2 marks for 3 cells");
  });

  it("are painted beside the values, by keys, saved, scored and undone", async () => {
    const t = await new TestEditor().open(4, new Array<number>(16).fill(0.25));
    t.editor.settings.set("size", 1);
    t.key("n").click(0.5, 0.5);
    t.key("n").click(1.5, 0.5);
    expect(marked(t)).toBe("?x" + ".".repeat(14));
    expect([...t.values]).toEqual(new Array<number>(16).fill(0.25));
    expect(t.history.steps.map((s) => s.label)).toEqual(["Don't know", "Do not look"]);
    await t.wait(2000);
    expect(sent(t)).toEqual({ h: 4, w: 4, values: new Array<number>(16).fill(0.25), marks: "?x" + ".".repeat(14) });
    const asked = t.network.of("POST", /score$/);
    expect((asked[asked.length - 1]!.body["map"] as WireMap).marks).toBe("?x" + ".".repeat(14));
    t.key("Ctrl+z");
    expect(marked(t)).toBe("?" + ".".repeat(15));
    t.key("Ctrl+z");
    expect(t.editor.document.isModels).toBe(true);
    t.key("Ctrl+y").key("Ctrl+y");
    expect(marked(t)).toBe("?x" + ".".repeat(14));
  });

  it("are read again to whoever paints by keyboard when they are undone", async () => {
    const t = await new TestEditor().open(4);
    let told = 0;
    t.editor.on("cell", () => told++);
    t.key("ArrowRight").key("n").key("x");
    t.editor.dabCell();
    const painted = told;
    t.key("Ctrl+z");
    expect(told).toBe(painted + 1);
    t.key("Ctrl+y");
    expect(told).toBe(painted + 2);
    t.key("Shift+ArrowRight").key("Enter"); // a region, which is filled
    expect(told).toBe(painted + 4);
    t.editor.whole("clear");
    expect(told).toBe(painted + 5);
  });

  it("go where a value is painted, and by the eraser while marking", async () => {
    const t = await new TestEditor().open(4);
    t.editor.settings.set("size", 1);
    t.key("n").stroke([0.5, 0.5], [3.5, 0.5]);
    expect(marked(t).slice(0, 4)).toBe("????");
    t.key("e").click(3.5, 0.5);
    expect(marked(t).slice(0, 4)).toBe("???.");
    t.key("b").key("n").key("n").click(0.5, 0.5); // values again
    expect(marked(t).slice(0, 4)).toBe(".??.");
    expect(t.values[0]).toBeGreaterThan(0);
    t.key("Ctrl+z");
    expect(marked(t).slice(0, 4)).toBe("???.");
    expect(t.values[0]).toBe(0);
    t.key("Shift+M");
    expect(t.editor.document.marked).toBe(false);
  });

  it("leave a whole cell marked, however small, soft or light the brush is", async () => {
    const t = await new TestEditor().open(4);
    for (const [setting, value] of [["size", 0.25], ["hardness", 0], ["strength", 0.1]] as const) t.editor.settings.set(setting, value);
    t.key("n").pointerDown(1.5, 1.5, { pressure: 0.1 }).pointerUp(1.5, 1.5, { pressure: 0.1 });
    expect(marked(t)).toBe(".....?..........");
  });

  it("are filled into a selection, and a stroke given up leaves those that were there", async () => {
    const t = await new TestEditor().open(4);
    t.key("r").stroke([0, 0], [2, 2]);
    t.key("n").key("n").key("Enter");
    expect(marked(t)).toBe("xx..xx..........");
    t.key("Escape").key("b").key("n"); // no selection; values
    t.editor.settings.set("size", 2);
    t.pointerDown(1, 1);
    t.editor.document.touched();
    t.key("Escape");
    expect(marked(t)).toBe("xx..xx..........");
    expect([...t.values]).toEqual(new Array<number>(16).fill(0));
  });

  it("are there again after a reload, undo with them, from the server and from the journal", async () => {
    const t = await new TestEditor().open(4);
    t.editor.settings.set("size", 1);
    t.click(2.5, 2.5).key("n").click(0.5, 0.5);
    await t.wait(2000);
    const [last] = t.saves.slice(-1);
    const edit = savedEdit(t.revision, sent(t), { history: last!.body["history"] });
    const u = await new TestEditor(t.storage).open(4, undefined, { edit });
    expect(marked(u)).toBe("?" + ".".repeat(15));
    expect(u.editor.settings.get("layer")).toBe("values");
    u.key("Ctrl+z");
    expect(marked(u)).toBe("");
    expect(u.values[10]).toBeGreaterThan(0);
    u.key("Ctrl+z");
    expect(u.editor.document.isModels).toBe(true);

    const v = await new TestEditor().open(4);
    v.network.on("PUT", /draft$/, () => "drop");
    v.editor.settings.set("size", 1);
    v.key("n").key("n").click(3.5, 3.5);
    await v.wait(500);
    const w = await new TestEditor(v.storage).open(4);
    expect(marked(w)).toBe(".".repeat(15) + "x");
    expect(w.notices).toContain("Strokes that had not been saved are back");
  });

  it("reads the undo of a map that was saved before there were marks", async () => {
    const t = await new TestEditor().open(4);
    t.editor.settings.set("size", 1);
    t.click(0.5, 0.5).click(1.5, 0.5);
    await t.wait(2000);
    const [last] = t.saves.slice(-1);
    expect(sent(t).marks).toBeUndefined();
    const edit = savedEdit(t.revision, sent(t), { history: last!.body["history"] });
    const u = await new TestEditor().open(4, undefined, { edit });
    expect(u.history.position).toBe(2);
    u.key("n").click(3.5, 3.5); // and goes on with marks
    u.key("Ctrl+z").key("Ctrl+z").key("Ctrl+z");
    expect(u.editor.document.isModels).toBe(true);
  });

  it("make a map of zeros one that says something, and the model's map one that is changed", async () => {
    const t = await new TestEditor().open(4);
    let empty = 0, untouched = 0;
    t.desk.on("empty", () => empty++);
    t.desk.on("untouched", () => untouched++);
    t.network.on("POST", /submit$/, () => [200, {}]);
    t.network.on("POST", /next/, () => [204]);
    t.key("n").click(0.5, 0.5);
    await t.wait(2000);
    await t.desk.submit();
    await t.settle();
    expect([empty, untouched]).toEqual([0, 0]);
    expect(t.network.of("POST", /submit$/).length).toBe(1);
  });
});

describe("the map that is fine as it is", () => {
  it("is confirmed and submitted with one key", async () => {
    const t = await new TestEditor().open(4, new Array<number>(16).fill(0.5));
    t.network.on("POST", /submit$/, () => [200, {}]);
    t.network.on("POST", /next/, () => [204]);
    t.key("y");
    await t.wait(2000);
    expect(t.saves[0]!.body["source"]).toBe("model");
    expect(t.network.of("POST", /submit$/).length).toBe(1);
  });

  it("is not what somebody has painted on", async () => {
    const t = await new TestEditor().open(4, new Array<number>(16).fill(0.5));
    t.click(0.5, 0.5).key("y");
    await t.wait(2000);
    expect(t.network.of("POST", /submit$/).length).toBe(0);
    expect(t.notices.join()).toContain("You have changed this map");
  });
});
