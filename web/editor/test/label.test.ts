// "The label is wrong": found by typing among many classes, sent, and the next task opened.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findClasses } from "../src/ui/label_dialog.ts";
import { task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const zeros = new Array<number>(196).fill(0);
const classes = Array.from({ length: 1000 }, (_, i) => ({ index: i, key: `n${String(i).padStart(8, "0")}`, name: i === 700 ? "Tench" : i === 3 ? "golden tench" : `thing ${i}` }));

describe("a wrong label", () => {
  it("has a key", async () => {
    const t = await new TestEditor().open();
    const commands: string[] = [];
    t.editor.on("command", (c) => commands.push(c));
    t.key("t");
    expect(commands).toEqual(["label"]);
  });

  it("is found among a thousand classes by a part of its name, its own first", () => {
    expect(findClasses(classes, "tench", undefined).map((c) => c.index)).toEqual([700, 3]);
    expect(findClasses(classes, "n00000042", undefined).map((c) => c.index)).toEqual([42]);
    expect(findClasses(classes, "42 thing", undefined).slice(0, 2).map((c) => c.index)).toEqual([42, 142]);
    expect(findClasses(classes, "", 5).length).toBe(999); // without the one that it has
    expect(findClasses(classes, "unicorn", undefined)).toEqual([]);
  });

  it("is sent once the map is saved, and the next task is opened", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /label$/, () => [201, { id: 1, state: "proposed" }]);
    t.network.on("POST", /next/, () => [200, task(2, zeros, 14)]);
    t.click(3, 3);
    void t.desk.questionLabel({ says: "class", class: 2, comment: "look" });
    await t.wait(100);
    const order = t.network.sent.filter((r) => /draft|label|next/.test(r.path)).map((r) => r.path);
    expect(order).toEqual(["/tasks/1/draft", `/images/${task(1, zeros, 14).image.id}/label`, "/projects/birds/tasks/next"]);
    expect(t.network.of("POST", /label$/)[0]!.body).toEqual({ says: "class", class: 2, comment: "look" });
    expect(t.notices.at(-1)).toContain("reviewer");
    expect(t.desk.detail!.id).toBe(2);
  });

  it("stays where the studio refuses it", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /label$/, () => [409, { title: "Conflict", detail: "Ada has said of its label already what a reviewer is to decide" }]);
    await Promise.all([t.desk.questionLabel({ says: "ambiguous" }), t.wait(100)]);
    expect(t.desk.phase.kind).toBe("working");
    expect(t.notices.at(-1)).toContain("Ada has said");
  });
});
