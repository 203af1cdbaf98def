import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { answerRows } from "../src/ui/answer.ts";
import { digitsFor, probability } from "../src/format.ts";
import { debounce, patience } from "../src/scores.ts";
import { classNames, savedEdit, scores, task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function waiting(): Promise<TestEditor> {
  const t = await new TestEditor().open();
  t.network.sent.length = 0;
  t.network.on("POST", /score$/, () => "wait");
  return t;
}

const asked = (t: TestEditor) => t.network.of("POST", /score$/);

describe("live scores", () => {
  it("asks once for a stroke, 60 ms after it, with the map as it is", async () => {
    const t = await waiting();
    t.stroke([3, 3], [8, 8]);
    await t.wait(debounce - 1);
    expect(asked(t).length).toBe(0);
    await t.wait(1);
    expect(asked(t).length).toBe(1);
    const map = asked(t)[0]!.body["map"] as { h: number; values: number[] };
    expect(map.h).toBe(14);
    expect(Float32Array.from(map.values)).toEqual(t.values);
  });

  it("shows the newest answer when answers come out of order", async () => {
    const t = await waiting();
    t.pointerDown(3, 3);
    await t.wait(70);
    t.pointerMove(9, 9);
    await t.wait(patience);
    const [first, second] = asked(t);
    expect(asked(t).length).toBe(2);
    await second!.reply(200, scores([0.7, 0.2, 0.1]));
    expect(t.desk.after?.top[0]?.name).toBe("cardinal");
    await first!.reply(200, scores([0.1, 0.8, 0.1]));
    expect(t.desk.after?.top[0]?.name).toBe("cardinal");
  });

  it("aborts what a finished stroke makes stale", async () => {
    const t = await waiting();
    t.pointerDown(3, 3);
    await t.wait(70);
    expect(asked(t)[0]!.signal?.aborted).toBe(false);
    t.pointerMove(9, 9).pointerUp(9, 9);
    expect(asked(t)[0]!.signal?.aborted).toBe(true);
    await t.wait(70);
    await asked(t)[1]!.reply(200, scores([0.7, 0.2, 0.1]));
    expect(t.desk.after?.probabilities[0]).toBe(0.7);
  });

  it("has at most two requests under way while somebody paints on, and keeps asking", async () => {
    const t = await waiting();
    t.pointerDown(2, 2);
    for (let i = 0; i < 60; i++) {
      t.pointerMove(2 + i / 6, 5);
      await t.wait(16);
    }
    expect(asked(t).length).toBe(2);
    await asked(t)[0]!.reply(200, scores([0.3, 0.4, 0.3]));
    expect(asked(t).length).toBe(3);
    expect(t.desk.after?.probabilities[0]).toBe(0.3);
  });

  it("asks five times a second while a stroke goes on, however fast the answers come, and at once when it ends", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /score$/, () => [200, scores([0.6, 0.3, 0.1])]);
    await t.wait(1000);
    t.network.sent.length = 0;
    t.pointerDown(2, 2);
    for (let i = 0; i < 125; i++) {
      t.pointerMove(2 + i / 12, 5);
      await t.wait(16);
    }
    expect(asked(t).length).toBeGreaterThanOrEqual(9);
    expect(asked(t).length).toBeLessThanOrEqual(11);
    const before = asked(t).length;
    t.pointerUp(12, 5);
    await t.wait(debounce);
    expect(asked(t).length).toBe(before + 1);
  });

  it("tells a flip in words, once", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /score$/, () => [200, scores([0.6, 0.3, 0.1])]);
    t.stroke([3, 3], [8, 8]);
    await t.wait(500);
    expect(t.flips).toEqual(["now right: cardinal"]);
    t.click(9, 9);
    await t.wait(500);
    expect(t.flips.length).toBe(1);
    t.network.on("POST", /score$/, () => [200, scores([0.1, 0.3, 0.6])]);
    t.click(2, 9);
    await t.wait(500);
    expect(t.flips[1]).toBe("now wrong: dove");
  });

  it("drops the answers of the task before", async () => {
    const t = await waiting();
    t.click(3, 3);
    await t.wait(70);
    const late = asked(t)[0]!;
    await t.open(7);
    await late.reply(200, scores([0.9, 0.05, 0.05]));
    expect(t.desk.after).toBeNull();
  });
});

describe("the answer's rows", () => {
  const top = [{ class: 1, name: "owl", probability: 0.6 }];

  it("lists the model's answer, then the truth, though it was not among the likeliest", () => {
    const rows = answerRows(classNames, 0, top, null, null);
    expect(rows.map((r) => [r.name, r.before, r.truth, r.answer])).toEqual([
      ["owl", 0.6, false, true],
      ["cardinal", null, true, false],
    ]);
  });

  it("shows more digits of a network that is sure", () => {
    expect(probability(0.612, digitsFor(0.612))).toBe(".61");
    expect(probability(1, digitsFor(0.9996))).toBe("1.0000");
    expect(probability(0.0004, digitsFor(0.9996))).toBe(".0004");
  });

  it("keeps its order when the answer flips", () => {
    const rows = answerRows(classNames, 0, top, scores([0.1, 0.6, 0.3]), scores([0.7, 0.1, 0.2]));
    expect(rows.map((r) => r.name)).toEqual(["owl", "cardinal", "dove"]);
    expect(rows[1]).toMatchObject({ before: 0.1, after: 0.7, truth: true, answer: true });
  });

  it("always lists where the answer is now", () => {
    const names = Array.from({ length: 12 }, (_, i) => `class ${i}`);
    const p = (winner: number) => names.map((_, i) => (i === winner ? 0.5 : (12 - i) / 200));
    const many = (winner: number) => ({ ...scores(p(winner)), top: p(winner).map((probability, c) => ({ class: c, name: names[c]!, probability })).sort((a, b) => b.probability - a.probability).slice(0, 5) });
    const rows = answerRows(names, 9, [], many(0), many(11));
    expect(rows.length).toBe(6);
    expect(rows[0]!.class).toBe(0);
    expect(rows[1]!.class).toBe(9);
    expect(rows.find((r) => r.answer)?.class).toBe(11);
  });
});

describe("a project that shows no answers while somebody paints", () => {
  const open = (feedback: "submitted" | "off") => {
    const project = { ...task(1, [], 14).project, feedback };
    return new TestEditor().open(14, undefined, { project });
  };

  it("asks for none, and says in the edit's provenance what was shown", async () => {
    const t = await open("off");
    t.click(3, 3);
    await t.wait(2000);
    expect(t.network.of("POST", /score$/).length).toBe(0);
    expect(t.saves[0]!.body["provenance"]).toMatchObject({ feedback: { kind: "off", shown: 0 } });
  });

  it("tells the answer once the map is submitted", async () => {
    const t = await open("submitted");
    t.click(3, 3);
    await t.wait(400);
    const done = { ...task(1, [], 14), state: "submitted", project: t.desk.detail!.project, edit: savedEdit(1, { h: 14, w: 14, values: [] }, { after: scores([0.7, 0.2, 0.1]) }) };
    t.network.on("POST", /submit$/, () => [200, done]);
    t.network.on("POST", /next/, () => [204]);
    await t.desk.submit();
    expect(t.notices.at(-1)).toBe("Submitted. With this map the network says cardinal (.70)");
    expect(t.network.of("POST", /score$/).length).toBe(0);
  });
});
