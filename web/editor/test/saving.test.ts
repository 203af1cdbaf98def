import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fromWire, sameBits, type WireMap } from "../src/grid.ts";
import type { WireHistory } from "../src/history_codec.ts";
import { MemoryStorage, savedEdit, TestEditor, type SentRequest } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const mapOf = (r: SentRequest): WireMap => JSON.parse(JSON.stringify(r.body["map"])) as WireMap;
const zeros: WireMap = { h: 14, w: 14, values: new Array<number>(196).fill(0) };
const kind = (t: TestEditor) => t.desk.saveState.kind;

/** Saves wait until a test answers them. */
async function slow(): Promise<TestEditor> {
  const t = await new TestEditor().open();
  t.network.on("PUT", /draft$/, () => "wait");
  return t;
}

describe("autosave", () => {
  it("saves at a stroke's end, made from the revision it knows", async () => {
    const t = await new TestEditor().open();
    expect(kind(t)).toBe("untouched");
    t.pointerDown(3, 3).pointerMove(6, 6);
    await t.wait(3000);
    expect(t.saves.length).toBe(0); // not in the middle of a stroke
    t.pointerUp(6, 6);
    await t.wait(300);
    expect(t.saves.length).toBe(1);
    expect(t.saves[0]!.body).toMatchObject({ base_revision: 0, source: "painted" });
    expect(sameBits(fromWire(mapOf(t.saves[0]!)), t.values)).toBe(true);
    expect(kind(t)).toBe("saved");
    t.click(9, 9);
    await t.wait(300);
    expect(t.saves[1]!.body["base_revision"]).toBe(1);
  });

  it("has never two saves under way, and takes strokes made meanwhile along in one", async () => {
    const t = await slow();
    t.click(3, 3);
    await t.wait(300);
    t.click(5, 5);
    await t.wait(1000);
    t.click(7, 7);
    await t.wait(5000);
    expect(t.saves.length).toBe(1);
    await t.saves[0]!.reply(200, savedEdit(1, mapOf(t.saves[0]!)));
    await t.wait(300);
    expect(t.saves.length).toBe(2);
    expect(t.saves[1]!.body["base_revision"]).toBe(1);
    expect(sameBits(fromWire(mapOf(t.saves[1]!)), t.values)).toBe(true);
    await t.saves[1]!.reply(200, savedEdit(2, mapOf(t.saves[1]!)));
    expect(kind(t)).toBe("saved");
    expect(t.desk.autosave!.dirty).toBe(false);
  });

  it("sends what changed, however many strokes there are", async () => {
    for (const side of [14, 56]) {
      const t = await new TestEditor().open(side);
      const sizes: number[] = [];
      for (let i = 0; i < 130; i++) {
        const x = 2 + ((i * 5) % (side - 4));
        t.stroke([x, 3], [x + 1, 10]);
        await t.wait(300);
        sizes.push(t.saves.at(-1)!.bytes);
      }
      expect(t.saves.length).toBe(130);
      expect(Math.max(...sizes.map((bytes, i) => (i === 0 ? 0 : bytes)))).toBeLessThan(2048);
      t.key("Ctrl+z").key("Ctrl+z");
      await t.wait(300);
      expect(t.saves.at(-1)!.bytes).toBeLessThan(3072); // two steps
      const { map, history } = t.saves.at(-1)!.body as { map: WireMap; history: WireHistory };
      expect(sameBits(fromWire(map), t.values)).toBe(true);
      expect(history.steps.length).toBe(130);

      // Who opens the task again has it all, and goes on sending what changes.
      const again = await new TestEditor().open(side, undefined, { edit: savedEdit(t.revision, map, { history }) });
      expect(again.history.position).toBe(128);
      again.click(5, 5);
      await again.wait(300);
      expect(again.saves[0]!.bytes).toBeLessThan(2048);
      expect((again.saves[0]!.body["history"] as WireHistory).steps.length).toBe(129);
      again.key("Ctrl+z").key("Ctrl+z").key("Ctrl+z");
      await again.wait(300);
      expect(sameBits(fromWire(mapOf(again.saves.at(-1)!)), again.values)).toBe(true);
    }
  });

  it("sends the whole where the changes fit nothing, or make another map", async () => {
    const t = await new TestEditor().open();
    let asked = 0;
    t.network.on("PUT", /draft$/, (r) => {
      asked++;
      if (asked === 1) return [422, { title: "Invalid", detail: "no such step" }];
      if (asked === 3) return [200, savedEdit(2, { ...mapOf(r), values: mapOf(r).values.map(() => 0.5) })];
      return [200, savedEdit(asked === 2 ? 1 : 3, mapOf(r))];
    });
    t.click(3, 3);
    await t.wait(300);
    expect([kind(t), asked]).toEqual(["saved", 2]);
    expect("changes" in t.saves[0]!.body).toBe(true);
    expect("changes" in t.saves[1]!.body).toBe(false);
    t.click(6, 6);
    await t.wait(300);
    expect([kind(t), asked, t.saves[3]!.body["base_revision"]]).toEqual(["saved", 4, 2]);
    expect("changes" in t.saves[3]!.body).toBe(false);
    expect(sameBits(fromWire(mapOf(t.saves[3]!)), t.values)).toBe(true);
  });

  it("says where an edit came from", async () => {
    const t = await new TestEditor().open();
    t.click(3, 3).click(5, 5).key("e").click(3, 3);
    await t.wait(400);
    expect(t.saves[0]!.body["provenance"]).toMatchObject({
      source_map: "model", strokes: { Brush: 2, Erase: 1 },
    });
  });

  it("keeps trying while it is offline, waits longer each time, and goes on at once when the connection is back", async () => {
    const t = await new TestEditor().open();
    t.network.on("PUT", /draft$/, () => "drop");
    t.click(3, 3);
    await t.wait(300);
    expect(kind(t)).toBe("offline");
    await t.wait(60_000);
    const tries = t.saves.length;
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThan(9);
    t.click(6, 6);
    expect(kind(t)).toBe("offline");
    t.network.on("PUT", /draft$/, (r) => [200, savedEdit(1, mapOf(r))]);
    t.desk.online();
    await t.wait(10);
    expect(kind(t)).toBe("saved");
    expect(sameBits(fromWire(mapOf(t.saves.at(-1)!)), t.values)).toBe(true);
  });

  it("treats a server that is away for a moment as offline", async () => {
    const t = await new TestEditor().open();
    let answers = 0;
    t.network.on("PUT", /draft$/, (r) => (++answers < 3 ? [503, { title: "Away" }] : [200, savedEdit(1, mapOf(r))]));
    t.click(3, 3);
    await t.wait(300);
    expect(kind(t)).toBe("offline");
    await t.wait(4000);
    expect(kind(t)).toBe("saved");
  });

  it("overwrites nothing in a conflict, and lets the person choose their own", async () => {
    const t = await new TestEditor().open();
    const other = savedEdit(4, { ...zeros, values: zeros.values.map(() => 0.5) });
    t.network.on("PUT", /draft$/, (r) => (r.body["base_revision"] === 4 ? [200, savedEdit(5, mapOf(r))] : [409, { title: "Stale", current: other }]));
    t.click(3, 3);
    await t.wait(300);
    expect(kind(t)).toBe("conflict");
    const mine = t.values.slice();
    t.click(9, 9);
    await t.wait(60_000);
    expect(t.saves.length).toBe(1);
    t.desk.resolve("mine");
    await t.wait(300);
    expect(kind(t)).toBe("saved");
    expect(t.saves[1]!.body["base_revision"]).toBe(4);
    expect(sameBits(t.values, mine)).toBe(false); // the stroke made meanwhile is in it, too
    expect(sameBits(fromWire(mapOf(t.saves[1]!)), t.values)).toBe(true);
  });

  it("merges both versions, and saves that on top of the other's", async () => {
    const t = await new TestEditor().open();
    const theirs = zeros.values.map((_, i) => (i === 0 || i === 3 * 14 + 3 ? 0.25 : 0));
    const other = savedEdit(4, { ...zeros, values: theirs });
    t.network.on("PUT", /draft$/, (r) => (r.body["base_revision"] === 4 ? [200, savedEdit(5, mapOf(r))] : [409, { title: "Stale", current: other }]));
    expect(t.desk.merge()).toBe(null);
    t.click(3, 3);
    await t.wait(300);
    const mine = t.values.slice();
    const merge = t.desk.merge()!;
    expect(merge.both).toEqual([3 * 14 + 3]); // the first cell is theirs alone
    merge.choose("mean");
    t.desk.resolve(merge);
    await t.wait(300);
    expect(kind(t)).toBe("saved");
    expect(t.saves[1]!.body["base_revision"]).toBe(4);
    const merged = mine.map((v, i) => (i === 0 ? 0.25 : i === 3 * 14 + 3 ? (v + 0.25) / 2 : v));
    expect(sameBits(fromWire(mapOf(t.saves[1]!)), merged)).toBe(true);
    t.key("Ctrl+z");
    expect(sameBits(t.values, mine)).toBe(true);
  });

  it("takes the other version as a step that can be undone", async () => {
    const t = await new TestEditor().open();
    const other = savedEdit(4, { ...zeros, values: zeros.values.map(() => 0.5) });
    t.network.on("PUT", /draft$/, (r) => (r.body["base_revision"] === 4 ? [200, savedEdit(5, mapOf(r))] : [409, { title: "Stale", current: other }]));
    t.click(3, 3);
    await t.wait(300);
    const mine = t.values.slice();
    t.desk.resolve("theirs");
    await t.wait(1000);
    expect(kind(t)).toBe("saved");
    expect(t.values.every((v) => v === 0.5)).toBe(true);
    expect(t.saves.length).toBe(1);
    t.key("Ctrl+z");
    expect(sameBits(t.values, mine)).toBe(true);
    await t.wait(300);
    expect(t.saves[1]!.body["base_revision"]).toBe(4);
  });

  it("goes on from its own save when only the answer was lost", async () => {
    const t = await new TestEditor().open();
    let kept: WireMap | null = null;
    t.network.on("PUT", /draft$/, (r) => {
      if (!kept) {
        kept = mapOf(r);
        return "drop"; // stored, but nobody heard
      }
      return r.body["base_revision"] === 1 ? [200, savedEdit(2, mapOf(r))] : [409, { title: "Stale", current: savedEdit(1, kept) }];
    });
    t.click(3, 3);
    await t.wait(5000);
    expect(kind(t)).toBe("saved");
    expect(t.desk.autosave!.revision).toBe(2);
  });

  it("knows a save of its own by any that was not answered, not the last alone", async () => {
    const t = await new TestEditor().open();
    let kept: WireMap | null = null;
    t.network.on("PUT", /draft$/, (r) => {
      if (t.saves.length === 1) {
        kept = mapOf(r);
        return "drop"; // stored, but nobody heard
      }
      if (t.saves.length === 2) return "drop"; // not stored
      return r.body["base_revision"] === 1 ? [200, savedEdit(2, mapOf(r))] : [409, { title: "Stale", current: savedEdit(1, kept!) }];
    });
    t.click(3, 3);
    await t.wait(300);
    t.click(6, 6);
    await t.wait(10_000);
    expect(kind(t)).toBe("saved");
    expect(t.desk.autosave!.revision).toBe(2);
    expect(sameBits(fromWire(mapOf(t.saves.at(-1)!)), t.values)).toBe(true);
  });

  it("says when the lease is gone, keeps the strokes, and saves them once the task is taken again", async () => {
    const t = await new TestEditor().open();
    t.network.on("PUT", /draft$/, () => [409, { title: "Conflict", detail: "task 1 is being edited by Ben" }]);
    t.click(3, 3);
    await t.wait(300);
    expect(t.desk.saveState).toMatchObject({ kind: "lost", message: "task 1 is being edited by Ben" });
    t.click(6, 6);
    await t.wait(10_000);
    expect(t.saves.length).toBe(1);
    t.network.on("PUT", /draft$/, (r) => [200, savedEdit(1, mapOf(r))]);
    t.network.on("POST", /claim$/, () => [200, t.desk.detail]);
    await t.desk.takeAgain();
    await t.wait(300);
    expect(kind(t)).toBe("saved");
  });

  it("shows a task that another window has submitted as it is now, and keeps what was painted since", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    const { lease, ...free } = t.desk.detail!;
    const submitted = { ...free, state: "submitted" as const, author_id: 7, edit: savedEdit(1, zeros) };
    t.network.on("PUT", /draft$/, () => [409, { title: "Conflict", detail: "task 1 is submitted" }]);
    t.network.on("POST", /claim$/, () => [409, { title: "Conflict", detail: "task 1 is submitted" }]);
    t.network.on("GET", /tasks\/1$/, () => [200, submitted]);
    t.click(3, 3);
    const painted = [...t.values];
    await t.wait(600);
    expect(t.desk.phase.kind).toBe("reading");
    expect(t.notices.at(-1)).toMatch(/^Submitted: it waits for review\. .* kept in this browser$/);
    t.network.on("POST", /take-back$/, () => [200, { ...submitted, state: "leased", lease }]);
    await Promise.all([t.desk.takeBack(), t.wait(100)]);
    expect([...t.values]).toEqual(painted);
  });

  it("takes a map back that another window has submitted, where this one's goes on, and leaves it in review where the submitted one does", async () => {
    const storage = new MemoryStorage();
    const first = await new TestEditor(storage).open();
    first.network.on("PUT", /draft$/, () => "drop");
    first.click(3, 3);
    await first.wait(300);
    const { lease, ...free } = first.desk.detail!;
    first.desk.leave();
    const edit = savedEdit(2, { ...zeros, values: zeros.values.map(() => 0.5) }, { state: "submitted" });
    const submitted = { ...free, state: "submitted" as const, author_id: 7, edit };
    const reload = async () => {
      const t = new TestEditor(new MemoryStorage());
      for (const [key, value] of storage.items) t.storage.setItem(key, value);
      t.network.on("POST", /take-back$/, () => [200, { ...submitted, state: "leased", lease, edit: { ...edit, state: "taken-back" } }]);
      t.revision = 2;
      await t.desk.open(submitted);
      await t.wait(300);
      expect(kind(t)).toBe("conflict");
      t.network.keep(1, 2, edit.map);
      return t;
    };
    const mine = await reload();
    mine.desk.resolve("mine");
    await mine.wait(600);
    expect(mine.network.sent.filter((r) => /take-back|claim|draft/.test(r.path)).map((r) => r.path)).toEqual(["/tasks/1/take-back", "/tasks/1/draft"]);
    expect(mine.saves[0]!.body["base_revision"]).toBe(2);
    expect([kind(mine), sameBits(fromWire(mapOf(mine.saves[0]!)), first.values)]).toEqual(["saved", true]);

    const theirs = await reload();
    theirs.desk.resolve("theirs");
    await theirs.wait(600);
    expect([kind(theirs), theirs.desk.canTakeBack, theirs.network.of("POST", /take-back|claim/).length + theirs.saves.length]).toEqual(["looking", true, 0]);
    theirs.click(9, 9);
    await theirs.wait(600);
    expect([kind(theirs), theirs.network.of("POST", /take-back$/).length, theirs.saves.length]).toEqual(["saved", 1, 1]);
  });

  it("takes a task again by itself when its lease ran out and nobody else has it", async () => {
    const t = await new TestEditor().open();
    let held = false;
    t.network.on("POST", /claim$/, () => ((held = true), [200, t.desk.detail]));
    t.network.on("PUT", /draft$/, (r) => (held ? [200, savedEdit(1, mapOf(r))] : [409, { title: "Conflict", detail: "take it again" }]));
    t.click(3, 3);
    await t.wait(600);
    expect(kind(t)).toBe("saved");
    held = false;
    t.click(9, 9);
    await t.wait(600);
    expect(kind(t)).toBe("lost"); // not for ever
    expect(t.network.of("POST", /claim$/).length).toBe(1);
  });

  it("does not repeat a save that is refused", async () => {
    const t = await new TestEditor().open();
    t.network.on("PUT", /draft$/, () => [422, { title: "Invalid", detail: "values: row 0 is 2" }]);
    t.click(3, 3);
    await t.wait(60_000);
    expect(t.saves.length).toBe(2); // what changed, and once the whole
    expect(t.desk.saveState).toMatchObject({ kind: "refused", message: "values: row 0 is 2" });
  });

  it("sends what is unsaved when the page goes away", async () => {
    const t = await new TestEditor().open();
    t.click(3, 3);
    t.desk.leave();
    expect(t.saves.length).toBe(1);
    await t.wait(0);
    expect(kind(t)).toBe("saved");
  });
});

describe("a page that is left", () => {
  it("keeps all of undo, though its last save carries a part of it", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    for (let i = 0; i < 150; i++) t.stroke([i % 14, (i * 5) % 14], [(i * 3) % 14, (i * 7) % 14]);
    const steps = t.history.steps.length;
    t.desk.leave();
    await t.wait(0);
    const sent = t.saves[0]!;
    expect(JSON.stringify(sent.body).length).toBeLessThan(64 << 10);
    const again = await new TestEditor(storage).open(14, undefined, {
      edit: savedEdit(1, mapOf(sent), { history: sent.body["history"] }),
    });
    expect(again.history.steps.length).toBe(steps);
    expect(again.desk.saveState.kind).toBe("saved");
  });

  it("does not wait for a pause to save", async () => {
    const t = await new TestEditor().open();
    for (let i = 0; i < 20; i++) {
      t.click(i % 14, (i * 5) % 14);
      await t.wait(200);
    }
    expect(t.saves.length).toBeGreaterThanOrEqual(2);
  });
});

describe("journal", () => {
  it("brings strokes back that the server never got, undo included", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    t.network.on("PUT", /draft$/, () => "drop");
    t.click(3, 3).click(6, 6).click(9, 9);
    // No time passes: the browser crashes before the first save was even tried.
    const again = new TestEditor(storage);
    await again.open();
    expect(sameBits(again.values, t.values)).toBe(true);
    expect(again.notices).toContain("Strokes that had not been saved are back");
    await again.wait(500);
    expect(again.saves[0]!.body["base_revision"]).toBe(0);
    for (let i = 0; i < 3; i++) again.key("Ctrl+z");
    expect(again.values.every((v) => v === 0)).toBe(true);
  });

  it("forgets what the server has acknowledged", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    t.click(3, 3);
    expect(storage.items.has("abn-editor/journal/1")).toBe(true);
    await t.wait(500);
    expect(storage.items.has("abn-editor/journal/1")).toBe(false);
  });

  it("goes on from a save whose answer was lost in the crash", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    t.network.on("PUT", /draft$/, () => "wait");
    t.click(3, 3);
    await t.wait(300);
    const arrived = mapOf(t.saves[0]!);
    t.click(9, 9); // and this one did not arrive
    const again = await new TestEditor(storage).open(14, undefined, { edit: savedEdit(1, arrived) });
    expect(again.desk.saveState.kind).not.toBe("conflict");
    expect(sameBits(again.values, t.values)).toBe(true);
    await again.wait(500);
    expect(again.saves[0]!.body["base_revision"]).toBe(1);
  });

  it("goes on from a save that arrived after the page was loaded again", async () => {
    for (const undone of [false, true]) {
      const storage = new MemoryStorage();
      const t = await new TestEditor(storage).open();
      t.network.on("PUT", /draft$/, () => "wait");
      t.click(3, 3);
      await t.wait(300);
      const late = savedEdit(1, mapOf(t.saves[0]!));
      if (undone) t.key("Ctrl+z"); // the journal holds what the server has; the save is under way all the same
      const again = await new TestEditor(storage).open();
      again.network.on("PUT", /draft$/, (r) => (r.body["base_revision"] === 1 ? [200, savedEdit(2, mapOf(r))] : [409, { title: "Stale", current: late }]));
      again.click(9, 9);
      await again.wait(2000);
      expect(again.desk.saveState.kind).toBe("saved");
      expect(again.desk.autosave!.revision).toBe(2);
      expect(sameBits(fromWire(mapOf(again.saves.at(-1)!)), again.values)).toBe(true);
    }
  });

  it("asks when the server has moved on", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    t.click(3, 3);
    const other = savedEdit(3, { ...zeros, values: zeros.values.map(() => 0.25) });
    const again = await new TestEditor(storage).open(14, undefined, { edit: other });
    expect(again.desk.saveState.kind).toBe("conflict");
    expect(sameBits(again.values, t.values)).toBe(true);
    again.desk.resolve("theirs");
    await again.wait(500);
    expect(again.values.every((v) => v === 0.25)).toBe(true);
    expect(again.saves.length).toBe(0);
  });

  it("is nobody else's", async () => {
    const storage = new MemoryStorage();
    const t = await new TestEditor(storage).open();
    t.click(3, 3);
    const again = await new TestEditor(storage, 8).open();
    expect(again.values.every((v) => v === 0)).toBe(true);
  });

  it("gives up undo before the map where storage is small, and says so where there is none", async () => {
    const storage = new MemoryStorage(1800);
    const t = await new TestEditor(storage).open();
    for (let i = 0; i < 30; i++) t.click(i % 14, (i * 5) % 14);
    const again = await new TestEditor(storage).open();
    expect(sameBits(again.values, t.values)).toBe(true);
    const none = await new TestEditor(new MemoryStorage(10)).open();
    none.network.on("PUT", /draft$/, () => "drop");
    none.click(3, 3);
    expect(none.desk.wouldLose).toBe(true);
  });
});
