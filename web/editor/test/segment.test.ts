import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MemoryStorage, sum, task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const withSegmenter = () => new TestEditor(new MemoryStorage(), 7, true);
/** The answer of a segmenter that sees the left `columns` of 4×4 cells. */
const left = (columns: number) => ({ h: 4, w: 4, coverage: Array.from({ length: 16 }, (_, i) => (i % 4 < columns ? 1 : 0)), encoder: "abc", milliseconds: 3 });

describe("the segmenter's tool", () => {
  it("is not there without a segmenter, also where it was chosen before", async () => {
    const t = await new TestEditor().open(4);
    t.key("j");
    expect([t.editor.tool, t.editor.has("segment")]).toEqual(["brush", false]);
    t.editor.settings.set("tool", "segment");
    expect(new TestEditor(t.storage).editor.tool).toBe("brush");
    expect(new TestEditor(t.storage, 7, true).editor.tool).toBe("segment");
  });

  it("sends all clicks, one request at a time, and paints the region as one step that the provenance names", async () => {
    const t = await withSegmenter().open(4);
    const answers: (() => void)[] = [];
    t.network.on("POST", /segment$/, (r) => { answers.push(() => void r.reply(200, left((r.body["clicks"] as unknown[]).length))); return "wait"; });
    t.key("j").click(0.5, 0.5);
    t.click(1.5, 2);
    t.pointerDown(3.5, 3, { alt: true }).pointerUp(3.5, 3, { alt: true });
    expect(t.network.of("POST", /segment$/).length).toBe(1);
    answers[0]!();
    await t.settle();
    expect(sum(t.editor.document.selection!.coverage)).toBe(4);
    expect(t.network.of("POST", /segment$/).map((r) => r.body["clicks"])).toEqual([
      [{ x: 0.125, y: 0.125, add: true }],
      [{ x: 0.125, y: 0.125, add: true }, { x: 0.375, y: 0.5, add: true }, { x: 0.875, y: 0.75, add: false }],
    ]);
    answers[1]!();
    await t.settle();
    expect(sum(t.editor.document.selection!.coverage)).toBe(12);
    t.editor.settings.set("strength", 0.6);
    t.key("Enter");
    expect([t.values[0], t.values[3]]).toEqual([Math.fround(0.6), 0]);
    expect(t.history.steps.map((s) => s.label)).toEqual(["Fill"]);
    expect([[...t.editor.document.tally], [...t.editor.document.segmenters]]).toEqual([[["Fill (segment)", 1]], ["abc"]]);
    expect(t.network.of("POST", /segment$/).length).toBe(2);
  });

  it("begins anew after Escape, and drops an answer that comes later", async () => {
    const t = await withSegmenter().open(4);
    let answer = (): void => undefined;
    t.network.on("POST", /segment$/, (r) => { answer = () => void r.reply(200, left(2)); return "wait"; });
    t.key("j").pointerDown(0.5, 0.5, { alt: true }).pointerUp(0.5, 0.5, { alt: true });
    expect(t.network.of("POST", /segment$/).length).toBe(0); // nothing to take away from
    t.click(0.5, 0.5);
    t.editor.deselect();
    answer();
    await t.settle();
    expect([t.editor.document.selection, t.editor.segmentClicks]).toEqual([null, []]);
  });

  it("says why nothing is selected, keeps what was, and leaves the wand working", async () => {
    const t = await withSegmenter().open(4);
    t.network.on("POST", /segment$/, () => [200, left(2)]);
    t.key("j").click(0.5, 0.5);
    await t.settle();
    t.network.on("POST", /segment$/, () => [503, { title: "The segmenter does not work", detail: "it takes more memory than there is" }]);
    t.click(1.5, 0.5);
    await t.settle();
    expect(t.notices.at(-1)).toContain("more memory than there is");
    expect([sum(t.editor.document.selection!.coverage), t.editor.segmentClicks.length]).toEqual([8, 1]);
    t.network.on("GET", /likeness$/, () => [200, { h: 1, w: 1, cosines: btoa("\x7f"), milliseconds: 1 }]);
    t.key("q").click(0.5, 0.5);
    await t.settle();
    expect([sum(t.editor.document.selection!.coverage), t.editor.segmentClicks.length, t.editor.wandClicks]).toEqual([16, 0, 1]);
  });

  it("has the picture looked at when the tool is chosen, and the next one where it stays", async () => {
    const t = await withSegmenter().open(4);
    const prepared = () => t.network.of("POST", /prepare$/).map((r) => r.path);
    t.network.on("POST", /prepare$/, () => [204]);
    t.key("b");
    await t.wait(1000);
    t.key("j").key("b");
    await t.wait(1000);
    expect(prepared()).toEqual([]); // passed by
    t.key("j");
    await t.wait(250);
    t.key("b").key("j");
    await t.wait(1000);
    expect(prepared()).toEqual(["/tasks/1/segment/prepare"]);
    await t.desk.open(task(2, new Array<number>(16).fill(0), 4));
    await t.desk.open(task(3, new Array<number>(16).fill(0), 4)); // the second is not stayed with
    await t.wait(1000);
    expect(prepared()).toEqual(["/tasks/1/segment/prepare", "/tasks/3/segment/prepare"]);
    t.network.on("POST", /prepare$/, () => [503, { title: "The segmenter does not work", detail: "a file of it is missing" }]);
    await t.desk.open(task(4, new Array<number>(16).fill(0), 4));
    await t.wait(1000);
    expect(t.notices.at(-1)).toContain("a file of it is missing");
  });
});
