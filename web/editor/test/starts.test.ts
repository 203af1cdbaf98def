import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { savedEdit, task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const side = 2;
const model = [0.1, 0.2, 0.3, 0.4];
const own = { kind: "model", version_id: 5, version: 2 };
const other = { key: "version-1", name: "The map of v1", origin: { kind: "version", version_id: 3, version: 1 } } as const;
const map = { h: side, w: side, values: [1, 0, 0.5, 0.25], marks: "..x." };

async function opened(more: Parameters<TestEditor["open"]>[2] = {}): Promise<TestEditor> {
  const t = await new TestEditor().open(side, model, more);
  t.network.on("GET", /starting-points$/, () => [200, { starting_points: [{ key: "model", name: "The model's own map (v2)", origin: own }, other] }]);
  t.network.on("GET", /starting-points\/version-1$/, () => [200, { ...other, map }]);
  return t;
}
const origins = (t: TestEditor) => t.saves.map((s) => s.body["origin"]);

describe("a map to begin with", () => {
  it("is listed when asked for, and taken as one step whose origin is saved with the map", async () => {
    const t = await opened();
    expect(t.network.of("GET", /starting-points/).length).toBe(0);
    await t.desk.starts.list();
    expect(t.desk.starts.state).toMatchObject({ kind: "listed", points: [{ key: "model" }, { key: "version-1" }] });
    await t.desk.starts.take(other);
    expect(Array.from(t.values)).toEqual(map.values);
    expect(Array.from(t.editor.document.marks).some((m) => m > 0)).toBe(true);
    expect(t.history.steps.map((s) => s.label)).toEqual(["From another version"]);
    expect(t.notices.at(-1)).toBe("You begin with: The map of v1. Undo takes it back");
    await t.wait(3000);
    t.key("Ctrl+z");
    await t.wait(3000);
    expect(t.editor.document.isModels).toBe(true);
    t.key("Ctrl+Shift+z");
    await t.wait(3000);
    expect(origins(t)).toEqual([other.origin, own, other.origin]);
  });

  it("is what the map began with after a reload too, and undo knows what it was before", async () => {
    const t = await opened();
    await t.desk.starts.take(other);
    t.click(0, 0);
    await t.wait(3000);
    const { body } = t.saves.at(-1)!;
    const again = await opened({ edit: savedEdit(4, body["map"] as typeof map, { history: body["history"], origin: body["origin"] as typeof own & { kind: "model" } }) });
    expect(again.editor.document.origin).toEqual(other.origin);
    again.key("Ctrl+z").key("Ctrl+z");
    expect(again.editor.document.origin).toEqual(own);
    again.key("Ctrl+y");
    expect(again.editor.document.origin).toEqual(other.origin);
  });

  it("is the model's again after a reset, and another's stays where the network is confirmed for a part only", async () => {
    const t = await opened();
    await t.desk.starts.take(other);
    t.editor.whole("reset");
    expect(t.editor.document.origin).toEqual(own);
    await t.desk.starts.take({ key: "model", name: "The model's own map (v2)", origin: { kind: "model", version_id: 5, version: 2 } });
    expect(t.notices.at(-1)).toBe("The map is that already: The model's own map (v2)");
    expect(t.network.of("GET", /starting-points/).length).toBe(1); // the page has the model's map
  });

  it("says what the project's start and a class activation map are", async () => {
    const t = await opened({ start: { method: "max", radius: 1, map: { h: side, w: side, values: [0, 0, 0, 1] } } });
    expect(t.editor.document.origin).toEqual({ kind: "mask", method: "max", radius: 1 });
    t.network.on("POST", /activation-map$/, () => [200, { method: "cam", branch: "attention", class: 0, h: 1, w: 1, values: [2], min: 2, max: 2 }]);
    t.desk.comparison.show("cam-attention");
    await t.settle();
    t.desk.comparison.useAsStart();
    expect(t.editor.document.origin).toEqual({ kind: "cam", branch: "attention", class: "cardinal" });
  });

  it("is not taken where the studio refuses it, or another task is open by then", async () => {
    const t = await opened();
    t.network.on("GET", /version-1$/, () => [409, { title: "Not possible now", detail: "it has 7 × 7 cells" }]);
    await t.desk.starts.take(other);
    expect(t.notices.at(-1)).toBe("Not taken: it has 7 × 7 cells");
    let reply = () => {};
    t.network.on("GET", /version-1$/, (r) => { reply = () => void r.reply(200, { ...other, map }); return "wait"; });
    const taking = t.desk.starts.take(other);
    await t.desk.open(task(2, model, side));
    reply();
    await taking;
    expect(t.editor.document.isModels).toBe(true);
  });
});
