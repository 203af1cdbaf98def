// What stays from picture to picture, and from visit to visit.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { screenPoint } from "../src/geometry.ts";
import { scores, task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const middleOf = (t: TestEditor) => t.editor.toMap(screenPoint(t.editor.viewport.width / 2, t.editor.viewport.height / 2));

describe("from picture to picture", () => {
  it("the tool stays, and after a reload too; a tool that was lent does not", async () => {
    const t = await new TestEditor().open();
    t.key("l");
    await t.open();
    expect(t.editor.tool).toBe("lasso");
    t.hold("e").click(3, 3).release("e");
    expect((await new TestEditor(t.storage).open()).editor.tool).toBe("lasso");
    t.key("i"); // waits for a click: nothing to begin a day with
    expect(new TestEditor(t.storage).editor.tool).toBe("lasso");
  });

  it("the zoom stays, whatever the size of the next picture, and after a reload too", async () => {
    const t = await new TestEditor().open(14);
    t.editor.zoom(3, t.editor.toScreen({ x: 10, y: 4 } as Parameters<typeof t.editor.toScreen>[0]));
    const [before, scale] = [middleOf(t), t.editor.viewport.scale];
    await t.desk.open(task(2, new Array<number>(196).fill(0), 14, { view: { x: 0, y: 0, width: 1000, height: 1000 } }));
    const after = middleOf(t);
    expect(after.x).toBeCloseTo(before.x, 0);
    expect(after.y).toBeCloseTo(before.y, 0);
    expect(t.editor.viewport.scale).toBeCloseTo(scale / 5, 6); // a picture five times as large, as large on the screen
    t.desk.leave();
    const again = await new TestEditor(t.storage).open(14);
    expect(middleOf(again).x).toBeCloseTo(after.x, 1);
    again.editor.fit();
    await again.open(14);
    expect(middleOf(again).x).toBeCloseTo(7, 6);
  });

  it("the zoom stays over many reloads, though a page learns how large it is after its task is open", async () => {
    let t = await new TestEditor().open(14);
    t.editor.zoom(5, t.editor.toScreen({ x: 10, y: 4 } as Parameters<typeof t.editor.toScreen>[0]));
    t.desk.leave();
    const { scale } = t.editor.viewport;
    for (let loads = 0; loads < 3; loads++) {
      t = new TestEditor(t.storage);
      t.editor.resize(100, 100);
      await t.open(14);
      t.editor.resize(800, 600);
      expect(t.editor.viewport.scale).toBeCloseTo(scale, 6);
      t.desk.leave();
    }
  });
});

describe("the scores along the strokes", () => {
  it("are those after each, and before the first", async () => {
    const t = await new TestEditor().open(4);
    const { trail } = t.desk;
    t.network.on("POST", /score$/, (r) => [200, scores((r.body["map"] as { values: number[] }).values.some((v) => v > 0) ? [0.7, 0.2, 0.1] : [0.2, 0.6, 0.2])]);
    t.click(0.5, 0.5);
    await t.wait(1000);
    expect(trail.get(null)?.probabilities[0]).toBe(0.2);
    expect(trail.get(t.history.last)?.probabilities[0]).toBe(0.7);
  });
});
