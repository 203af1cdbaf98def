import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sameBits } from "../src/grid.ts";
import { MemoryStorage, savedEdit, scores, task, TestEditor, type SentRequest } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const zeros = new Array<number>(196).fill(0);

describe("the desk", () => {
  it("submits the last revision once everything is saved, and opens the next task", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /next/, () => [200, task(2, zeros, 14)]);
    t.click(3, 3);
    void t.desk.submit(); // before the autosave had its turn
    await t.wait(100);
    const order = t.network.sent.filter((r) => /draft|submit/.test(r.path)).map((r) => r.path);
    expect(order).toEqual(["/tasks/1/draft", "/tasks/1/submit"]);
    expect(t.network.of("POST", /next/).length).toBe(1);
    expect(t.network.of("POST", /submit$/)[0]!.body).toEqual({ revision: 1 });
    expect(t.desk.detail!.id).toBe(2);
    expect(t.desk.phase.kind).toBe("working");
    expect(t.history.steps.length).toBe(0);
    t.click(5, 5);
    await t.wait(300);
    expect(t.saves.at(-1)!.path).toBe("/tasks/2/draft");
    expect(t.saves.at(-1)!.body["base_revision"]).toBe(0);
  });

  it("asks for the next task while it submits, and again if it got none", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /submit$/, () => "wait");
    let asked = 0;
    t.network.on("POST", /next/, () => (++asked === 1 ? [500, { title: "Away", detail: "the database is away" }] : [200, task(2, zeros, 14)]));
    t.click(3, 3);
    void t.desk.submit();
    await t.wait(50);
    expect(t.network.of("POST", /next/).map((r) => r.path)).toEqual(["/projects/birds/tasks/next?except=1"]);
    expect([t.desk.phase.kind, t.desk.detail!.id]).toEqual(["sending", 1]);
    await t.network.of("POST", /submit$/)[0]!.reply(200, t.desk.detail);
    await t.wait(50);
    expect(t.network.of("POST", /next/).map((r) => r.path).at(-1)).toBe("/projects/birds/tasks/next");
    expect([t.desk.phase.kind, t.desk.detail!.id]).toEqual(["working", 2]);
  });

  it("decides nothing of a picture that has not been seen, and is painted at once", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.4));
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /next/, () => [200, task(2, new Array<number>(196).fill(0.4), 14)]);
    t.looks = false;
    await Promise.all([t.desk.confirm(), t.wait(100)]);
    expect([t.desk.detail!.id, t.network.of("POST", /submit$/).length]).toEqual([2, 1]);
    t.key("y");
    await Promise.all([t.desk.submit(true), t.desk.skip("It is too small"), t.desk.questionLabel({ says: "none-of-these" }), t.wait(1000)]);
    expect(t.desk.detail!.id).toBe(2);
    expect(t.network.of("POST", /(submit|skip|label)$/).length).toBe(1);
    t.click(3, 3);
    expect(t.history.steps.length).toBe(1);
    t.desk.see();
    await Promise.all([t.desk.submit(), t.wait(1000)]);
    expect(t.network.of("POST", /submit$/).map((r) => r.path)).toEqual(["/tasks/1/submit", "/tasks/2/submit"]);
  });

  it("submits no map of a picture that can't be shown, and lets it be skipped", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.4));
    t.network.on("POST", /skip$/, () => [204]);
    t.network.on("POST", /next/, () => [204]);
    t.desk.see(false);
    await Promise.all([t.desk.confirm(), t.desk.submit(true), t.wait(100)]);
    expect([t.network.of("POST", /submit$/).length, t.notices.at(-1)]).toEqual([0, "The picture can't be shown: reload, or skip this task"]);
    await Promise.all([t.desk.skip("The picture is missing"), t.wait(100)]);
    expect(t.network.of("POST", /skip$/).length).toBe(1);
  });

  it("shows the task that was asked for last, whichever answer comes last", async () => {
    const t = await new TestEditor().open();
    t.network.on("GET", /tasks\/[23]$/, () => "wait");
    const both = [t.desk.openTask(2), t.desk.openTask(3)];
    await t.settle();
    const answer = (id: number) => t.network.of("GET", new RegExp(`tasks/${id}$`))[0]!.reply(200, task(id, zeros, 14));
    await answer(3);
    await answer(2);
    await Promise.all(both);
    expect([t.desk.detail?.id, t.desk.phase.kind]).toEqual([3, "working"]);
  });

  it("says nothing of a task that could not be opened after another was asked for", async () => {
    const t = await new TestEditor().open();
    t.network.on("GET", /tasks\/[23]$/, () => "wait");
    const both = [t.desk.openTask(2), t.desk.openTask(3)];
    await t.settle();
    await t.network.of("GET", /tasks\/2$/)[0]!.reply(500, { title: "Out of order" });
    await t.network.of("GET", /tasks\/3$/)[0]!.reply(200, task(3, zeros, 14));
    await Promise.all(both);
    expect([t.desk.detail?.id, t.desk.phase.kind]).toEqual([3, "working"]);
  });

  it.each([["arrives", 200], ["fails", 500]] as const)("stays at the task that was gone to while a submission was under way that %s", async (_, status) => {
    const t = await new TestEditor().open();
    t.network.on("POST", /submit$/, () => "wait");
    t.network.on("POST", /next/, () => [200, task(3, zeros, 14)]);
    t.network.on("GET", /tasks\/2$/, () => [200, { ...task(2, zeros, 14), state: "approved" }]);
    t.click(3, 3);
    void t.desk.submit();
    await t.wait(50);
    await t.desk.openTask(2);
    expect([t.desk.detail?.id, t.desk.phase.kind]).toEqual([2, "reading"]);
    await t.network.of("POST", /submit$/)[0]!.reply(status, status === 200 ? task(1, zeros, 14) : { title: "Out of order" });
    await t.wait(50);
    expect([t.desk.detail?.id, t.desk.phase.kind]).toEqual([2, "reading"]);
    expect(t.notices.at(-1)).toMatch(status === 200 ? "Task 1, cardinal: Submitted for review" : /^Task 1, cardinal: Not submitted: /);
  });

  it("submits once, though asked twice while the task is being taken", async () => {
    const t = new TestEditor();
    t.network.on("POST", /claim$/, () => [200, task(1, zeros, 14)]);
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /next/, () => [204]);
    await t.desk.open(open());
    t.click(3, 3);
    await Promise.all([t.desk.submit(), t.desk.submit(), t.wait(1000)]);
    expect(t.network.of("POST", /submit$/).length).toBe(1);
  });

  it("does not submit what could not be saved", async () => {
    const t = await new TestEditor().open();
    t.network.on("PUT", /draft$/, () => "drop");
    t.click(3, 3);
    await Promise.all([t.desk.submit(), t.wait(100)]);
    expect(t.network.of("POST", /submit$/).length).toBe(0);
    expect(t.desk.phase.kind).toBe("working");
    expect(t.notices.at(-1)).toContain("kept here");
  });

  it("asks before it submits the model's own map, and says so to the server", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.4));
    let asked = 0;
    t.desk.on("untouched", () => asked++);
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /next/, () => [204]);
    await t.desk.submit();
    expect(asked).toBe(1);
    expect(t.network.of("POST", /submit$/).length).toBe(0);
    await Promise.all([t.desk.submitModels(), t.wait(100)]);
    expect(t.saves[0]!.body["source"]).toBe("model");
    expect(t.network.of("POST", /submit$/).length).toBe(1);
  });

  it("tells a reviewer who corrects a map soon that its author has taken it back", async () => {
    const submitted = { state: "submitted", author_name: "Ana", edit: savedEdit(3, { h: 14, w: 14, values: zeros }, { id: 40, state: "submitted" }) } as const;
    const t = new TestEditor(new MemoryStorage(), 7, false, true);
    t.network.on("POST", /claim$/, () => [200, {}]);
    await t.open(14, zeros, submitted);
    t.network.on("POST", /review\/lease$/, () => [409, { status: 409, detail: "Ana is painting task 1 again. Go on to the next one" }]);
    await t.wait(25_000);
    expect(t.notices.at(-1)).toBe("Ana is painting task 1 again. Go on to the next one. What you painted is kept in this browser");
    const asked = t.network.of("POST", /review\/lease$/).length;
    await t.wait(60_000);
    expect(t.network.of("POST", /review\/lease$/).length).toBe(asked);
  });

  it("has a reviewer correct a map and approve it in one step, with the words they wrote before", async () => {
    const storage = new MemoryStorage();
    const drawn = zeros.map((_, i) => (i < 20 ? 0.5 : 0));
    const submitted = { state: "submitted", author_name: "Ana", edit: savedEdit(3, { h: 14, w: 14, values: drawn }, { id: 40, state: "submitted" }) } as const;
    const t = new TestEditor(storage, 7, false, true);
    t.network.on("POST", /claim$/, () => [200, {}]);
    t.network.on("POST", /correct$/, () => [200, task(1, zeros, 14, submitted)]);
    t.network.on("POST", /release$/, () => [204]);
    await t.open(14, zeros, submitted);
    expect([t.desk.phase.kind, t.network.of("POST", /claim$/).map((r) => r.path)]).toEqual(["working", ["/tasks/1/review/claim"]]);
    await t.desk.submit();
    expect(t.notices.at(-1)).toContain("changed nothing");
    t.click(8, 8);
    await t.wait(3000);
    expect(t.saves).toEqual([]); // it is kept here
    const again = new TestEditor(storage, 7, false, true); // the page is opened anew
    again.network.on("POST", /claim$/, () => [200, {}]);
    await again.open(14, zeros, submitted);
    expect([...again.values]).toEqual([...t.values]);
    storage.setItem("review-comment/7/40", "The branch was in it ");
    storage.setItem("review-comment/7/40/choice", JSON.stringify({ reasons: ["too wide"], pins: [{ row: 1, column: 0, words: "here" }] }));
    let corrected = 0;
    t.desk.on("corrected", () => corrected++);
    await Promise.all([t.desk.submit(), t.wait(100)]);
    const [sent] = t.network.of("POST", /correct$/);
    expect([sent!.path, sent!.body["base_revision"], sent!.body["comment"], corrected]).toEqual(["/tasks/1/edits/40/correct", 3, "The branch was in it", 1]);
    expect([sent!.body["reasons"], sent!.body["pins"]]).toEqual([["too wide"], [{ row: 1, column: 0, words: "here" }]]);
    expect([storage.getItem("review-comment/7/40"), storage.getItem("review-comment/7/40/choice")]).toEqual([null, null]);
    t.desk.leaveReview();
    expect(t.network.of("POST", /release$/)).toEqual([]); // it is judged
  });

  it("lets a reviewer only look at a map that another one is reviewing", async () => {
    const t = new TestEditor(new MemoryStorage(), 7, false, true);
    t.network.on("POST", /claim$/, () => [409, { title: "Held", detail: "Rose is reviewing task 1: go on to the next one" }]);
    await t.open(14, zeros, { state: "submitted", edit: savedEdit(1, { h: 14, w: 14, values: zeros }, { state: "submitted" }) });
    expect(t.desk.phase).toEqual({ kind: "reading", why: "Rose is reviewing task 1: go on to the next one" });
  });

  it("says when no task is waiting", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /skip$/, () => [204]);
    t.network.on("POST", /next/, () => [204]);
    await Promise.all([t.desk.skip("The true class is wrong"), t.wait(100)]);
    expect(t.network.of("POST", /skip$/)[0]!.body).toEqual({ reason: "The true class is wrong" });
    expect(t.desk.phase.kind).toBe("empty");
  });

  it("puts a task back with what was painted, and stays where it is when that is refused", async () => {
    const t = await new TestEditor().open();
    t.click(3, 3);
    t.network.on("POST", /release$/, () => [409, { title: "Conflict", detail: "task 1 is not leased to you any more" }]);
    const [refused] = await Promise.all([t.desk.release(), t.wait(100)]);
    expect(refused).toBe(false);
    expect(t.desk.phase.kind).toBe("working");
    expect(t.notices.at(-1)).toContain("not leased to you any more");
    expect(t.saves.length).toBe(1); // the stroke was saved before the task was given away
    t.network.on("POST", /release$/, () => [204]);
    const [done] = await Promise.all([t.desk.release(), t.wait(100)]);
    expect(done).toBe(true);
  });

  it("goes back to work when the server refuses, with its reason", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /submit$/, () => [409, { title: "Conflict", detail: "revision 1 is stale" }]);
    t.click(3, 3);
    await Promise.all([t.desk.submit(), t.wait(100)]);
    expect(t.desk.phase.kind).toBe("working");
    expect(t.notices.at(-1)).toContain("revision 1 is stale");
  });

  it("takes a task again that it lost before it was handed in, and says so while somebody else has it", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /submit$/, () => [409, { title: "Conflict", detail: "task 1 is being edited by Rui" }]);
    t.network.on("POST", /claim$/, () => [409, { title: "Conflict", detail: "task 1 is being edited by Rui" }]);
    t.click(3, 3);
    await Promise.all([t.desk.submit(), t.wait(100)]);
    expect([t.desk.phase.kind, t.desk.saveState.kind]).toEqual(["working", "lost"]); // which offers to take it again
    t.network.on("POST", /claim$/, () => [200, t.desk.detail]);
    await Promise.all([t.desk.takeAgain(), t.wait(2000)]);
    expect(t.desk.saveState.kind).toBe("saved");
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /tasks\/next/, () => [204]);
    await Promise.all([t.desk.submit(), t.wait(100)]);
    expect(t.notices.at(-1)).toBe("Submitted for review");
  });

  it("paints nothing while a task is handed in", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /submit$/, () => "wait");
    t.click(3, 3);
    void t.desk.submit();
    await t.wait(10);
    expect(t.desk.phase.kind).toBe("sending");
    t.click(9, 9);
    expect(t.history.steps.length).toBe(1);
    await t.network.of("POST", /submit$/)[0]!.reply(409, { title: "Stale", current: savedEdit(7, { h: 14, w: 14, values: zeros }) });
    expect(t.desk.saveState.kind).toBe("conflict");
    t.click(9, 9);
    expect(t.history.steps.length).toBe(2);
  });

  it("begins an untouched map as the project says, as a step that undo takes back", async () => {
    const mask = zeros.map((_, i) => (i === 20 ? 1 : 0));
    const start = { method: "max" as const, radius: 1, map: { h: 14, w: 14, values: mask } };
    const t = await new TestEditor().open(14, zeros, { start });
    expect([...t.values]).toEqual(mask);
    expect(t.notices.at(-1)).toContain("undo leads to the model's map");
    await t.wait(300);
    expect(t.saves.at(-1)!.body["map"]).toEqual({ h: 14, w: 14, values: mask });
    expect(t.saves.at(-1)!.body["source"]).toBe("painted");
    t.editor.document.undo();
    expect([...t.values]).toEqual(zeros);
    // What somebody painted stays, and where there is no map the reason is told.
    const painted = await new TestEditor().open(14, zeros, { start, edit: savedEdit(3, { h: 14, w: 14, values: zeros }) });
    expect([...painted.values]).toEqual(zeros);
    const unknown = await new TestEditor().open(14, zeros, { start: { method: "max", radius: 1, problem: "no mask is known" } });
    expect([...unknown.values]).toEqual(zeros);
    expect(unknown.notices.at(-1)).toContain("no mask is known");
    expect(unknown.saves.length).toBe(0);
  });

  const open = (more = {}) => {
    const detail = task(1, zeros, 14, { state: "open", ...more });
    delete detail.lease;
    return detail;
  };

  it("looks at an open task without taking it, and takes it at the first stroke", async () => {
    const t = new TestEditor();
    t.network.on("POST", /claim$/, () => [200, task(1, zeros, 14)]);
    await t.desk.open(open());
    await t.wait(60_000);
    expect([t.desk.phase.kind, t.desk.saveState.kind, t.network.of("POST", /claim|lease$/).length]).toEqual(["working", "looking", 0]);
    t.click(3, 3);
    t.click(5, 5);
    await t.wait(600);
    expect(t.network.of("POST", /claim$/).length).toBe(1);
    expect(t.desk.saveState.kind).toBe("saved");
    expect(t.saves.at(-1)!.body["base_revision"]).toBe(0);
    await t.wait(5 * 60_000);
    expect(t.network.of("POST", /lease$/).length).toBe(1); // which is kept from then on
  });

  it("keeps a stroke that lost the race for the task, and brings it in when the task is free", async () => {
    const storage = new MemoryStorage();
    const t = new TestEditor(storage);
    t.network.on("POST", /claim$/, () => [409, { title: "Conflict", detail: "task 1 is being edited by Ben" }]);
    await t.desk.open(open());
    t.click(3, 3);
    await t.wait(600);
    expect(t.desk.saveState.kind).toBe("lost");
    expect(t.notices.at(-1)).toMatch(/Task 1 is being edited by Ben.*kept in this browser/);
    expect(t.saves.length).toBe(0);
    const painted = [...t.values];
    const later = new TestEditor(storage); // another day
    later.network.on("POST", /claim$/, () => [200, task(1, zeros, 14)]);
    await later.desk.open(open());
    expect([...later.values]).toEqual(painted);
    expect(later.desk.saveState.kind).toBe("looking"); // offered, not forced
    await later.desk.take();
    await later.wait(600);
    expect((later.saves[0]!.body["map"] as { values: number[] }).values.some((v) => v > 0)).toBe(true);
  });

  it("says to who lost the race and loads the page again that their strokes are kept, and offers them when the task is free", async () => {
    const storage = new MemoryStorage();
    const first = new TestEditor(storage);
    first.network.on("POST", /claim$/, () => [409, { title: "Conflict", detail: "task 1 is being edited by Ben" }]);
    await first.desk.open(open());
    first.click(3, 3);
    await first.wait(600);
    const bens = task(1, zeros, 14, { lease: { user_id: 8, user_name: "Ben", expires_at: "", mine: false } });
    const t = new TestEditor(storage);
    let now: unknown = bens;
    t.network.on("GET", /tasks\/1$/, () => [200, now]);
    await t.desk.open(bens);
    expect(t.desk.phase).toEqual({ kind: "reading", why: "Ben is painting this one. Strokes of yours are kept in this browser, and offered when the task is free" });
    await t.wait(50_000);
    expect(t.desk.phase.kind).toBe("reading");
    now = open();
    await t.wait(25_000);
    expect([t.desk.phase.kind, t.desk.saveState.kind, t.notices.at(-1)]).toEqual(["working", "looking", "Strokes that had not been saved are back"]);
    expect([...t.values]).toEqual([...first.values]);
    const asked = t.network.of("GET", /tasks\/1$/).length;
    await t.wait(120_000);
    expect(t.network.of("GET", /tasks\/1$/).length).toBe(asked);
  });

  it("says of kept strokes only that they are kept where the task has ended", async () => {
    const storage = new MemoryStorage();
    const first = new TestEditor(storage);
    first.network.on("POST", /claim$/, () => [409, { title: "Conflict", detail: "task 1 is being edited by Ben" }]);
    await first.desk.open(open());
    first.click(3, 3);
    await first.wait(600);
    const t = new TestEditor(storage);
    await t.desk.open(open({ state: "approved" }));
    expect(t.desk.phase).toEqual({ kind: "reading", why: "Approved: it trains the next round. Strokes of yours that were not saved are kept in this browser" });
  });

  it("takes the task and saves once who lost their session at the first stroke has signed in again", async () => {
    const t = new TestEditor();
    let asked = 0;
    t.desk.on("signed-out", () => asked++);
    const ended = (): [number, unknown] => [401, { title: "Not signed in", detail: "sign in, or send a valid bearer token" }];
    t.network.on("POST", /claim$|score$/, ended);
    await t.desk.open(open());
    t.click(3, 3);
    await t.wait(600);
    t.click(8, 8);
    await t.wait(600);
    expect([t.desk.saveState.kind, t.desk.signedOut, asked, t.notices]).toEqual(["looking", true, 1, []]);
    await Promise.all([t.desk.submit(), t.wait(100)]);
    expect(t.notices).toEqual(["Your session has ended: sign in again, then submit"]);
    t.network.on("POST", /^\/session$/, () => [200, { user: { id: 7 }, role: "annotator" }]);
    t.network.on("POST", /claim$/, () => [200, task(1, zeros, 14)]);
    t.network.on("POST", /score$/, () => [200, scores([0.2, 0.6, 0.2])]);
    await Promise.all([t.desk.client.signIn("ana@example.org", "right", ""), t.wait(600)]);
    expect([t.desk.saveState.kind, t.desk.signedOut, t.notices.at(-1)]).toEqual(["saved", false, ""]);
    expect(t.saves.length).toBe(1);
  });

  it("takes the answers away where the project ceases to tell them while a map is painted", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /score$/, () => [200, scores([0.7, 0.2, 0.1])]);
    t.click(3, 3);
    await t.wait(600);
    expect(t.desk.after?.top[0]?.name).toBe("cardinal");
    const now = task(1, zeros, 14);
    t.network.on("POST", /score$/, () => [403, { title: "Forbidden", detail: "forbidden: project birds shows no answers while a map is painted (feedback submitted)" }]);
    t.network.on("GET", /tasks\/1$/, () => [200, { ...now, project: { ...now.project, feedback: "submitted" } }]);
    t.click(6, 6);
    await t.wait(600);
    expect([t.desk.before, t.desk.after, t.desk.stale, t.desk.trail.size, t.desk.detail!.project.feedback]).toEqual([null, null, false, 0, "submitted"]);
    expect(t.notices).toEqual(["From now on this project tells what the network says only once a map is submitted"]);
    expect([t.flips.at(-1), t.desk.saveState.kind]).toEqual(["", "saved"]);
    const asked = t.network.of("POST", /score$/).length;
    t.click(9, 9);
    await t.wait(600);
    expect(t.network.of("POST", /score$/).length).toBe(asked);
  });

  it("asks which map goes on where somebody saved one before the first stroke took the task", async () => {
    const t = new TestEditor();
    t.network.on("POST", /claim$/, () => [200, task(1, zeros, 14, { edit: savedEdit(2, { h: 14, w: 14, values: zeros }) })]);
    await t.desk.open(open());
    t.click(3, 3);
    await t.wait(600);
    expect(t.desk.saveState.kind).toBe("conflict");
  });

  it("takes no task for the first step of the project's own, and takes it to submit", async () => {
    const t = new TestEditor();
    t.network.on("POST", /claim$/, () => [200, task(1, zeros, 14)]);
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /next/, () => [204]);
    await t.desk.open(open({ start: { method: "max", radius: 1, map: { h: 14, w: 14, values: zeros.map((_, i) => (i === 20 ? 1 : 0)) } } }));
    await t.wait(600);
    expect(t.network.of("POST", /claim$/).length).toBe(0);
    await Promise.all([t.desk.submit(), t.wait(600)]);
    expect(t.network.sent.filter((r) => /claim|draft|submit/.test(r.path)).map((r) => r.path)).toEqual(["/tasks/1/claim", "/tasks/1/draft", "/tasks/1/submit"]);
  });

  it("only shows a task that somebody else has", async () => {
    const t = new TestEditor();
    await t.desk.open(task(1, zeros, 14, { lease: { user_id: 8, user_name: "Ben", expires_at: "", mine: false } }));
    expect(t.desk.phase).toEqual({ kind: "reading", why: "Ben is painting this one" });
    await t.desk.open(open({ state: "changes-requested", author_id: 8, author_name: "Ben" }));
    expect(t.desk.phase.kind).toBe("reading");
    await t.desk.open(open({ state: "changes-requested", author_id: 7, author_name: "Ana" }));
    expect(t.desk.phase.kind).toBe("working");
  });

  it("keeps what is painted when the session ends, and saves it once the person has signed in again", async () => {
    const t = await new TestEditor().open();
    let asked = 0;
    t.desk.on("signed-out", () => asked++);
    const ended = (): [number, unknown] => [401, { title: "Not signed in", detail: "sign in, or send a valid bearer token" }];
    t.network.on("PUT", /draft$/, ended);
    t.network.on("POST", /score$/, ended);
    t.click(3, 3);
    await t.wait(300);
    expect([t.desk.saveState.kind, asked]).toEqual(["signed-out", 1]);
    t.network.on("POST", /^\/session$/, () => [401, { title: "Not signed in", detail: "the password is wrong" }]);
    await expect(Promise.all([t.desk.client.signIn("ana@example.org", "x", ""), t.wait(0)])).rejects.toThrow("the password is wrong");
    t.network.on("POST", /^\/session$/, () => [200, { user: { id: 8 }, role: "annotator" }]);
    t.network.on("DELETE", /^\/session$/, () => "wait");
    const asBen = t.desk.client.signIn("ben@example.org", "x", "");
    await t.settle();
    const sent = t.network.sent.length;
    t.click(6, 6);
    await t.wait(600);
    expect(t.network.sent.length).toBe(sent); // nothing in Ben's name
    await t.network.of("DELETE", /^\/session$/)[0]!.reply(204);
    expect([await asBen, t.desk.signedOut]).toEqual(["other", true]);
    t.network.on("POST", /^\/session$/, () => [200, { user: { id: 7 }, role: "annotator" }]);
    t.network.on("PUT", /draft$/, (r) => [200, savedEdit(1, r.body["map"] as never)]);
    t.network.on("POST", /score$/, () => [200, scores([0.2, 0.6, 0.2])]);
    await Promise.all([t.desk.client.signIn("ana@example.org", "right", ""), t.wait(600)]);
    expect([t.desk.saveState.kind, asked]).toEqual(["saved", 1]);
  });

  it("sends nothing in the name of a stranger who cannot be signed out, and signs them out once the studio is reached", async () => {
    const t = await new TestEditor().open();
    t.network.on("PUT", /draft$/, () => [401, { title: "Not signed in" }]);
    t.click(3, 3);
    await t.wait(300);
    t.network.on("PUT", /draft$/, (r) => [200, savedEdit(1, r.body["map"] as never)]);
    let there: number | null = null;
    t.network.on("GET", /^\/session$/, () => (there === null ? [401, { title: "Not signed in" }] : [200, { user: { id: there }, role: "annotator" }]));
    t.network.on("POST", /^\/session$/, () => [200, { user: { id: (there = 8) }, role: "annotator" }]);
    t.network.on("DELETE", /^\/session$/, () => "drop");
    const [entered] = await Promise.all([t.desk.client.signIn("ben@example.org", "x", ""), t.wait(100)]);
    expect(entered).toBe("other-stays");
    const saves = t.saves.length;
    t.click(6, 6);
    t.desk.online();
    await t.wait(600);
    expect([t.saves.length, t.desk.saveState.kind]).toEqual([saves, "signed-out"]);
    t.network.on("DELETE", /^\/session$/, () => {
      there = null;
      return [204];
    });
    await t.wait(10_000);
    expect([t.network.of("DELETE", /^\/session$/).length, t.saves.length]).toEqual([2, saves]);
    there = 7; // in another tab
    await Promise.all([t.desk.client.lookForSession(), t.wait(600)]);
    expect([t.desk.signedOut, t.desk.saveState.kind]).toEqual([false, "saved"]);
  });

  it("says to who is taken out of the project while painting that they are, keeps the strokes, and saves them once they are back", async () => {
    const t = await new TestEditor().open();
    const gone = (r: SentRequest): [number, unknown] => [404, { title: "Not found", detail: `${r.path}: not found` }];
    t.network.on("GET", /^\/projects\/birds$/, gone);
    t.network.on("PUT", /draft$/, gone);
    t.network.on("POST", /submit$|score$|next/, gone);
    t.click(3, 3);
    await t.wait(300);
    await Promise.all([t.desk.submit(), t.wait(300)]);
    const words = "Not saved: you are no longer a member of this project, or it was deleted. Ask who leads it, or an admin of the studio. What you painted is kept in this browser";
    expect(t.desk.saveState.kind).toBe("outside");
    expect(t.notices).toContain(words);
    expect(t.notices.at(-1)).toBe(words);
    expect(t.notices.filter((notice) => notice.includes("not found"))).toEqual([]);
    const again = await new TestEditor(t.storage).open(); // as where the page is opened again
    expect(sameBits(again.values, t.values)).toBe(true);
    t.network.on("PUT", /draft$/, (r) => [200, savedEdit(1, r.body["map"] as never)]);
    await t.wait(30_000);
    expect(t.desk.saveState.kind).toBe("saved");
  });

  it("says of a task that is gone from a project that is there just that", async () => {
    const t = await new TestEditor().open();
    t.network.on("GET", /^\/projects\/birds$/, () => [200, {}]);
    t.network.on("PUT", /draft$/, () => [404, { title: "Not found", detail: "task 1: not found" }]);
    t.click(3, 3);
    await t.wait(300);
    expect(t.desk.saveState).toEqual({ kind: "refused", message: "task 1: not found" });
  });

  it("marks scores that are of an earlier map while the studio does not answer", async () => {
    const t = await new TestEditor().open();
    t.network.on("POST", /score$/, () => "drop");
    t.click(3, 3);
    await t.wait(300);
    expect(t.desk.stale).toBe(true);
    t.network.on("POST", /score$/, () => [200, scores([0.1, 0.2, 0.7])]);
    t.desk.online();
    await t.wait(300);
    expect(t.desk.stale).toBe(false);
    expect(t.flips.at(-1)).toBe("still wrong: dove"); // it was wrong before
  });

  it("asks before it submits a map of zeros", async () => {
    const t = await new TestEditor().open(14, new Array<number>(196).fill(0.4));
    let asked = 0;
    t.desk.on("empty", () => asked++);
    t.network.on("POST", /submit$/, () => [200, t.desk.detail]);
    t.network.on("POST", /next/, () => [204]);
    t.editor.whole("clear");
    await Promise.all([t.desk.submit(), t.wait(600)]);
    expect([asked, t.network.of("POST", /submit$/).length]).toEqual([1, 0]);
    await Promise.all([t.desk.submit(true), t.wait(600)]);
    expect([asked, t.network.of("POST", /submit$/).length]).toEqual([1, 1]);
  });

  it("takes its own map back from review", async () => {
    const t = new TestEditor();
    const submitted = open({ state: "submitted", author_id: 7, edit: savedEdit(3, { h: 14, w: 14, values: zeros }, { state: "submitted" }) });
    await t.desk.open({ ...submitted, author_id: 8 });
    expect(t.desk.canTakeBack).toBe(false);
    await t.desk.open(submitted);
    expect(t.desk.canTakeBack).toBe(true);
    t.network.on("POST", /take-back$/, () => [200, task(1, zeros, 14, { edit: savedEdit(3, { h: 14, w: 14, values: zeros }, { state: "taken-back" }) })]);
    await t.desk.takeBack();
    expect([t.desk.phase.kind, t.desk.saveState.kind]).toEqual(["working", "saved"]);
    t.click(3, 3);
    await t.wait(300);
    expect(t.saves[0]!.body["base_revision"]).toBe(3);
  });

  it("opens what it submitted again, and takes it back with the first stroke", async () => {
    const t = new TestEditor();
    const edit = savedEdit(3, { h: 14, w: 14, values: zeros }, { state: "submitted" });
    const free = open({ state: "submitted", author_id: 7, edit });
    t.network.on("GET", /tasks\/1$/, () => [200, free]);
    t.network.on("POST", /take-back$/, () => [200, { ...free, state: "leased", edit: { ...edit, state: "taken-back" } }]);
    await t.desk.open(free);
    expect([t.desk.phase.kind, t.desk.looking, t.desk.canTakeBack]).toEqual(["working", true, true]);
    t.network.on("POST", /next/, () => [204]);
    t.click(3, 3);
    await t.wait(400);
    expect([t.network.of("POST", /take-back$/).length, t.network.of("POST", /claim$/).length, t.desk.canTakeBack]).toEqual([1, 0, false]);
    expect(t.saves[0]!.body["base_revision"]).toBe(3);
  });

  it("leaves in review what it looks at and does not change", async () => {
    const t = new TestEditor();
    const free = open({ state: "submitted", author_id: 7, edit: savedEdit(3, { h: 14, w: 14, values: zeros.map(() => 0.5) }, { state: "submitted" }) });
    t.network.on("POST", /next/, () => [204]);
    await t.desk.open(free);
    await Promise.all([t.desk.submit(), t.wait(200)]);
    expect([t.network.of("POST", /take-back$/).length, t.network.of("POST", /submit$/).length, t.desk.phase.kind]).toEqual([0, 0, "empty"]);
  });

  it("goes back through what it submitted last, and forward to the next task", async () => {
    const t = await new TestEditor().open();
    const cards = [3, 2].map((id) => task(id, zeros, 14, { state: "submitted", author_id: 7, edit: savedEdit(1, { h: 14, w: 14, values: zeros }, { task_id: id, state: "submitted" }) }));
    t.network.on("GET", /tasks\/recent/, () => [200, { tasks: cards }]);
    for (const card of cards) t.network.on("GET", new RegExp(`tasks/${card.id}$`), () => [200, { ...card, lease: undefined }]);
    t.network.on("POST", /next/, () => [200, task(1, zeros, 14)]);
    await t.desk.knowRecent();
    const at: (number | undefined)[] = [];
    for (const older of [true, true, true, false, false]) {
      await Promise.all([t.desk.step(older), t.wait(50)]);
      at.push(t.desk.detail?.id);
    }
    expect(at).toEqual([3, 2, 2, 3, 1]);
    expect(t.notices).toContain("That is the oldest of your last ten");
  });

  it("opens the saved map, not the model's, and scores both", async () => {
    const t = await new TestEditor().open(14, zeros, { edit: savedEdit(3, { h: 14, w: 14, values: zeros.map(() => 0.5) }) });
    expect(t.values[0]).toBe(0.5);
    await t.wait(100);
    expect(t.network.of("POST", /score$/).length).toBe(2);
    t.click(3, 3);
    await t.wait(300);
    expect(t.saves[0]!.body["base_revision"]).toBe(3);
  });

  it("renews the lease while somebody works, and lets it go when they do not", async () => {
    const t = await new TestEditor().open();
    const renewals = () => t.network.of("POST", /lease$/).length;
    await t.wait(9 * 60_000);
    expect(renewals()).toBe(2);
    await t.wait(60 * 60_000);
    expect(renewals()).toBe(2);
    t.click(3, 3);
    await t.wait(10);
    expect(renewals()).toBe(3);
  });
});
