import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { shownMapNames } from "../src/comparison.ts";
import { palette, shades } from "../src/render/heat.ts";
import { cellWords } from "../src/ui/status.ts";
import { image, MemoryStorage, savedEdit, task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const side = 4;
const model = Array.from({ length: side * side }, (_, i) => i / 100);
/** The hint of a map in which the first cell would help, and the second less. */
const answer = { method: "help", branch: "perception", class: 0, class_name: "cardinal", value: "map", h: side, w: side, values: [0.5, -2, ...new Array<number>(14).fill(0)], min: -2, max: 0.5, milliseconds: 1 };

async function opened(storage = new MemoryStorage(), more: Parameters<TestEditor["open"]>[2] = {}): Promise<TestEditor> {
  const t = await new TestEditor(storage).open(side, model, more);
  t.network.on("POST", /activation-map$/, () => [200, answer]);
  return t;
}

const asked = (t: TestEditor) => t.network.of("POST", /activation-map$/);
const sentMap = (t: TestEditor) => (asked(t).at(-1)!.body["map"] as { values: number[] }).values;
const hints = (t: TestEditor) => t.saves.map((s) => (s.body["provenance"] as { hints?: unknown }).hints);

describe("what would help", () => {
  it("is off until it is asked for, and off again with the next picture", async () => {
    const t = await opened();
    await t.wait(1000);
    expect([asked(t).length, t.desk.hint.state.kind]).toEqual([0, "off"]);
    t.key("Shift+W");
    await t.settle();
    expect(asked(t).map((r) => r.body)).toEqual([{ method: "help", branch: "perception", map: { h: side, w: side, values: model } }]);
    expect(t.desk.hint.state).toEqual({ kind: "shown", stale: false });
    expect([...t.editor.hint!.values.slice(0, 3)]).toEqual([0.25, -1, 0]);
    expect([0, 1, 2].map((cell) => cellWords(t.desk, cell).other)).toEqual(["more helps (0.5)", "less helps (−2)", "changes nothing"]);
    t.key("Shift+W");
    expect([t.editor.hint, t.desk.hint.state.kind]).toEqual([null, "off"]);
    t.key("Shift+W");
    await t.desk.open(task(2, model, side));
    expect([t.editor.hint, t.desk.hint.state.kind]).toEqual([null, "off"]);
  });

  it("is of the map as it is now: asked anew after a stroke, once, and marked as older until then", async () => {
    const t = await opened();
    t.key("Shift+W");
    await t.settle();
    t.pointerDown(0.5, 3.5);
    t.pointerMove(3.5, 3.5);
    expect(t.desk.hint.state).toEqual({ kind: "shown", stale: true });
    await t.wait(1000); // a stroke under way asks nothing
    expect(asked(t).length).toBe(1);
    t.pointerUp(3.5, 3.5);
    t.click(2.5, 0.5);
    await t.wait(149);
    expect([asked(t).length, t.desk.hint.state]).toEqual([1, { kind: "shown", stale: true }]);
    await t.wait(1);
    expect([asked(t).length, t.desk.hint.state]).toEqual([2, { kind: "shown", stale: false }]);
    expect(Float32Array.from(sentMap(t))).toEqual(t.values);
    t.key("Ctrl+z").key("Ctrl+z"); // the answer to that map is known
    await t.wait(150);
    expect([asked(t).length, t.desk.hint.state]).toEqual([2, { kind: "shown", stale: false }]);
  });

  it.each([["ends", (t: TestEditor) => t.pointerUp(3.5, 3.5)], ["is given up", (t: TestEditor) => t.key("Escape").pointerUp(3.5, 3.5)]])("asked for in the middle of a stroke, comes once that %s", async (_, end) => {
    const t = await opened();
    t.pointerDown(0.5, 3.5);
    t.pointerMove(2.5, 3.5);
    t.key("Shift+W");
    await t.wait(1000);
    expect([asked(t).length, t.desk.hint.state.kind]).toEqual([0, "asking"]);
    end(t);
    await t.wait(150);
    expect([asked(t).length, t.desk.hint.state]).toEqual([1, { kind: "shown", stale: false }]);
    expect(Float32Array.from(sentMap(t))).toEqual(t.values);
  });

  it("drops an answer to a map that is none any more", async () => {
    const t = await opened();
    t.network.on("POST", /activation-map$/, () => "wait");
    t.key("Shift+W").click(1.5, 1.5);
    await t.wait(150);
    expect([asked(t).length, asked(t)[0]!.signal?.aborted]).toEqual([2, true]);
    await asked(t)[0]!.reply(200, { ...answer, max: 9 });
    expect([t.editor.hint, t.desk.hint.state.kind]).toEqual([null, "asking"]);
    await asked(t)[1]!.reply(200, answer);
    expect(t.desk.hint.state.kind).toBe("shown");
  });

  it.each([["submitted", "once the map is submitted"], ["off", "does not show what the network says"]] as const)("is not had where the feedback is %s", async (feedback, words) => {
    const t = await opened(new MemoryStorage(), { project: { ...task(1, model, side).project, feedback } });
    t.key("Shift+W");
    await t.wait(1000);
    expect([asked(t).length, t.editor.hint, t.desk.hint.state.kind]).toEqual([0, null, "off"]);
    expect(t.notices.at(-1)).toContain(words);
    expect(t.desk.hint.missing).toContain(words);
  });

  it("says why there is none: no true class, a network without that derivative, a server that is busy or away", async () => {
    const bare = await opened(new MemoryStorage(), { image: image(1) });
    bare.key("Shift+W");
    expect([asked(bare).length, bare.notices.at(-1)]).toEqual([0, "No hint: this image has no true class that could be helped"]);
    const t = await opened();
    t.network.on("POST", /activation-map$/, () => [422, { title: "Not valid", detail: "what would help: /Relu_1 (Softsign) has no derivative" }]);
    t.key("Shift+W");
    await t.settle();
    expect(t.desk.hint.state).toEqual({ kind: "refused", why: "what would help: /Relu_1 (Softsign) has no derivative" });
    t.click(1.5, 1.5);
    await t.wait(1000); // it will not have one for another map either
    expect(asked(t).length).toBe(1);
    t.key("Shift+W");
    t.network.on("POST", /activation-map$/, () => [503, { title: "Busy", detail: "too many are waiting: try again in a moment" }]);
    t.key("Shift+W");
    await t.settle();
    expect(t.desk.hint.state).toEqual({ kind: "waiting", why: "too many are waiting: try again in a moment" });
    t.network.on("POST", /activation-map$/, () => "drop");
    t.desk.hint.retry();
    await t.settle();
    expect(t.desk.hint.state).toEqual({ kind: "waiting", why: "The studio can't be reached" });
    t.network.on("POST", /activation-map$/, () => [200, answer]);
    t.desk.online();
    await t.settle();
    expect(t.desk.hint.state.kind).toBe("shown");
  });

  it("stands in the edit's provenance from then on, after a reload too", async () => {
    const t = await opened();
    t.click(1.5, 1.5);
    await t.wait(5000);
    t.key("Shift+W");
    await t.settle();
    const again = await opened(t.storage, { edit: savedEdit(1, { h: side, w: side, values: [...t.values] }) });
    again.click(2.5, 2.5);
    await again.wait(5000);
    expect([hints(t), hints(again)]).toEqual([[undefined], [{ help: 1 }]]);
    const known = await opened(new MemoryStorage(), { edit: savedEdit(3, { h: side, w: side, values: model }, { hints: { help: 4 } }) });
    known.key("Shift+W");
    await known.settle();
    known.click(2.5, 2.5);
    await known.wait(5000);
    expect(hints(known)).toEqual([{ help: 6 }]); // once more for the map with the stroke
  });

  it("is told before a map goes to review that was saved before it was shown", async () => {
    const t = await opened();
    t.network.on("POST", /submit$/, () => [200, task(1, model, side)]);
    t.click(1.5, 1.5);
    await t.wait(5000);
    t.key("Shift+W");
    await t.settle();
    await t.wait(5000);
    expect(hints(t)).toEqual([undefined]); // looking is no stroke
    void t.desk.submit();
    await t.wait(1000);
    expect(hints(t)).toEqual([undefined, { help: 1 }]);
    expect(t.network.of("POST", /submit$/)[0]!.body["revision"]).toBe(2);
  });

  it("does not keep the hand from painting, and takes turns with the difference", async () => {
    const t = await opened();
    t.key("Shift+W");
    await t.settle();
    t.click(1.5, 1.5);
    expect(t.history.steps.length).toBe(1);
    t.key("d");
    expect([t.editor.showDifference, t.editor.hint]).toEqual([true, null]);
    t.key("Shift+W");
    await t.settle();
    expect([t.editor.showDifference, t.editor.hint === null]).toEqual([false, false]);
  });

  it("is none of the maps to look at or to begin with", () => {
    expect(shownMapNames.filter((name) => name.startsWith("help"))).toEqual([]);
  });

  it("is orange where more would help, blue where less, and clear where nothing would", () => {
    const colors = palette({ kind: "hint" });
    const [more, less, none] = [...shades(Float32Array.of(1, -1, 0), { kind: "hint" })].map((s) => colors[s]!) as [number, number, number];
    const channel = (color: number, k: number) => (color >>> (8 * k)) & 255;
    expect([channel(more, 0) > channel(more, 2), channel(less, 2) > channel(less, 0)]).toEqual([true, true]);
    expect([channel(more, 3), channel(less, 3), channel(none, 3) < 3]).toEqual([255, 255, true]);
  });
});
