// A wrong label: the painter says so by keyboard, a reviewer confirms it by keyboard; the label, the task and the figures follow.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import type { LabelHistory, PredictedImage, ProjectSummary, TaskDetail } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, Studio, until } from "./studio";

const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");

describe.skipIf(!browserThere)("a wrong label", () => {
  let studio: Studio, browser: Browser, ana: Person, rui: Person;
  let task: TaskDetail;
  const closing: (() => Promise<void>)[] = []; // what was opened, should not all of it be

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    ana = await Person.signIn(browser, studio, "annotator");
    rui = await Person.signIn(browser, studio, "reviewer");
    await until("a task waits", async () => ((await ana.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 1, 180_000);
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  const answer = () => task.project.classes[task.prediction.class]!;

  it("is named by the painter, without a mouse", async () => {
    await ana.page.goto("/projects/aviary/queue");
    await ana.page.getByRole("link", { name: /Paint the next one/ }).or(ana.page.getByRole("button", { name: /Paint the next one/ })).click();
    await ana.page.getByTestId("stage").waitFor();
    task = await ana.get<TaskDetail>(`/tasks/${Number(/tasks\/(\d+)/.exec(ana.page.url())![1])}`);
    expect(await ana.page.getByTestId("dialog-help").textContent()).toContain("The label is wrong");
    await ana.page.getByTestId("stage").focus();
    await ana.page.locator("#label-wrong:not([aria-disabled])").waitFor(); // once the picture has been seen
    await ana.page.keyboard.press("t");
    await ana.page.getByTestId("label-now").filter({ hasText: task.label_name }).waitFor();
    await ana.page.keyboard.type(answer().name.toLowerCase());
    await ana.page.keyboard.press("Enter"); // the class
    await ana.page.keyboard.press("Enter"); // and it is sent
    await ana.page.getByTestId("notice").filter({ hasText: "Sent to a reviewer" }).waitFor();
    await until("the next task is open", () => Promise.resolve(!ana.page.url().endsWith(`/tasks/${task.id}`)), 20_000);
    const aside = await ana.get<TaskDetail>(`/tasks/${task.id}`);
    expect([aside.state, aside.skip_reason]).toEqual(["skipped", "its label is said to be wrong, which a reviewer decides"]);
  });

  it("is confirmed by the reviewer, and label and task follow", async () => {
    await rui.page.goto("/projects/aviary/labels");
    await rui.page.keyboard.press("n");
    await rui.page.getByRole("heading", { name: `${task.label_name} → ${answer().name}` }).waitFor();
    await rui.page.keyboard.press("a");
    await rui.page.getByText(`Confirmed: ${task.label_name} → ${answer().name}.`).waitFor();
    const { image, prediction } = await ana.get<PredictedImage>(`/images/${task.image.id}`);
    expect([image.label, image.source_label, prediction?.correct]).toEqual([answer().index, task.image.label, true]);
    const closed = await ana.get<TaskDetail>(`/tasks/${task.id}`);
    expect([closed.state, closed.skip_reason]).toEqual(["skipped", "its label was corrected, and the model is right about it"]);
    const history = await ana.get<LabelHistory>(`/images/${task.image.id}/label`);
    expect(history.changes.map((c) => c.became)).toEqual([answer().key]);
  });

  it("has its history on the image's page, and goes back the same way", async () => {
    await rui.page.goto(`/projects/aviary/images/${task.image.id}`);
    await rui.page.getByRole("region", { name: "The label's history" }).getByText("at its source").waitFor();
    await rui.page.keyboard.press("t");
    await rui.page.getByLabel("None of these").check();
    await rui.page.getByRole("button", { name: "Say so" }).click();
    await rui.page.getByRole("note").filter({ hasText: "none of the classes" }).waitFor();
    await rui.page.getByRole("link", { name: "A reviewer decides." }).click();
    await rui.page.getByRole("button", { name: "Take it back" }).click();
    await rui.page.locator(".chip-label-withdrawn").waitFor();
  });

  it("nothing complained", () => {
    expect([...ana.complaints, ...rui.complaints]).toEqual([]);
  });
});
