// The loop, by three people: paint, reload, submit; reject, mend, approve; a round, its curve, activation, the new scan.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import type { ProjectSummary, Round, TaskDetail, TaskPage } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, stroke, Studio, until } from "./studio";


const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");
if (!browserThere) console.warn("no Chromium found: the browser tests are skipped");

describe.skipIf(!browserThere)("the loop", () => {
  let studio: Studio, browser: Browser, ana: Person, rui: Person, ada: Person;
  let task = 0;
  const closing: (() => Promise<void>)[] = []; // what was opened, should not all of it be

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    ana = await Person.signIn(browser, studio, "annotator");
    rui = await Person.signIn(browser, studio, "reviewer");
    ada = await Person.signIn(browser, studio, "admin");
    await until("the demo project is ready", async () => {
      const project = await ada.get<ProjectSummary>("/projects/aviary").catch(() => undefined); // not there in the first second
      return (project?.open_tasks ?? 0) > 0 && (await ada.get<{ edits: number }>("/projects/aviary/rounds/defaults")).edits > 0;
    }, 180_000);
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  const saved = (page: Page) => page.locator("#save-state[data-state=saved]").waitFor();

  it("the annotator paints, and the scores change", async () => {
    await ana.page.goto("/projects/aviary/queue");
    await ana.page.getByRole("link", { name: /Paint the next one/ }).or(ana.page.getByRole("button", { name: /Paint the next one/ })).click();
    await ana.page.getByTestId("stage").waitFor();
    task = Number(/tasks\/(\d+)/.exec(ana.page.url())![1]);
    // The demo's network is M·g: what is said of a cell of 0 is not what holds for (1+M)·g.
    for (const [place, says] of [["map-clear", "everything is hidden"], ["view-spotlight", "hidden from the answer"]] as const) {
      expect(await ana.page.getByTestId(place).getAttribute("title")).toContain(says);
    }
    expect(await ana.page.getByTestId("help-values").textContent()).toContain("A value of 0 hides");
    const before = await ana.page.getByTestId("answer").innerText();
    const scored = ana.page.waitForResponse((r) => r.url().endsWith("/score") && r.status() === 200);
    await stroke(ana.page, [0.2, 0.2], [0.8, 0.8]);
    await scored;
    await saved(ana.page);
    await until("the scores change", async () => (await ana.page.getByTestId("answer").innerText()) !== before, 10_000);
  });

  it("other methods' maps are looked at, and the edit stays as it is", async () => {
    const mine = (await ana.get<TaskDetail>(`/tasks/${task}`)).edit!;
    const shown = ana.page.locator("[data-testid=comparison][data-state=shown]");
    await ana.page.getByTestId("set-map-status").selectOption("grad-cam-perception");
    await shown.waitFor();
    await ana.page.getByTestId("set-class").selectOption("answer");
    await ana.page.getByTestId("comparison-words").filter({ hasText: /^Grad-CAM, perception branch, for .+ cells$/ }).waitFor();
    await ana.page.getByTestId("stage").focus();
    await ana.page.keyboard.press("Shift+A");
    await ana.page.getByTestId("comparison-words").filter({ hasText: "Grad-CAM, attention branch" }).waitFor();
    await stroke(ana.page, [0.3, 0.3], [0.7, 0.3]);
    await ana.page.getByTestId("notice").filter({ hasText: "Another map is shown" }).waitFor();
    await shown.waitFor();
    await ana.page.getByTestId("use-as-start").click();
    await ana.page.getByTestId("strokes").getByText("Start from Grad-CAM").waitFor();
    expect(await ana.page.getByTestId("comparison").isHidden()).toBe(true);
    await ana.page.getByTestId("stage").focus();
    await ana.page.keyboard.press("Control+z");
    await saved(ana.page);
    await until("the edit is as it was", async () => JSON.stringify((await ana.get<TaskDetail>(`/tasks/${task}`)).edit!.map) === JSON.stringify(mine.map), 10_000);
  });

  it("a reload loses no stroke, and undo reaches back over it", async () => {
    await stroke(ana.page, [0.2, 0.8], [0.8, 0.2]);
    await saved(ana.page);
    await until("two strokes are stored", async () => ((await ana.get<TaskDetail>(`/tasks/${task}`)).edit?.revision ?? 0) >= 2, 10_000);
    const stored = (await ana.get<TaskDetail>(`/tasks/${task}`)).edit!;
    await ana.page.reload();
    await ana.page.getByTestId("stage").waitFor();
    await expect.poll(() => ana.page.getByTestId("strokes").locator("li").count()).toBeGreaterThanOrEqual(3); // the model's map and two strokes
    expect((await ana.get<TaskDetail>(`/tasks/${task}`)).edit!.map.values).toEqual(stored.map.values);

    await ana.page.getByTestId("stage").focus();
    await ana.page.keyboard.press("Control+z");
    await until("the undo is stored", async () => ((await ana.get<TaskDetail>(`/tasks/${task}`)).edit?.revision ?? 0) > stored.revision, 10_000);
    expect((await ana.get<TaskDetail>(`/tasks/${task}`)).edit!.map.values).not.toEqual(stored.map.values);
    await ana.page.keyboard.press("Control+Shift+z");
    await until("the redo is stored", async () => {
      const now = (await ana.get<TaskDetail>(`/tasks/${task}`)).edit!;
      return JSON.stringify(now.map.values) === JSON.stringify(stored.map.values);
    }, 10_000);
  });

  it("submits; the reviewer rejects with a comment", async () => {
    await ana.page.locator("#submit:not([aria-disabled])").waitFor(); // once the picture has been seen
    await ana.page.keyboard.press("Control+Enter");
    await until("it is submitted", async () => (await ana.get<TaskDetail>(`/tasks/${task}`)).state === "submitted", 20_000);
    await rui.page.goto("/projects/aviary/review");
    await rui.page.getByRole("button", { name: /^Review the next one/ }).click();
    await rui.page.locator("[data-desk][data-held=mine][data-drawn]").waitFor(); // its keys are listened to by now
    await rui.page.keyboard.press("m");
    await rui.page.locator("[data-method-words]").filter({ hasText: /^CAM, attention branch, for .+ Brightest/ }).waitFor();
    await rui.page.getByLabel("Maps by another method").selectOption("cam perception");
    await rui.page.locator("[data-method-words]").filter({ hasText: /of both/ }).waitFor();
    await rui.page.keyboard.press("p"); // pins the cell beside the middle
    for (const key of ["ArrowRight", "Enter"]) await rui.page.keyboard.press(key);
    await rui.page.keyboard.type("Its beak");
    await rui.page.keyboard.press("Enter"); // back to the cells, and no verdict
    await rui.page.locator("textarea[name=comment]").fill("Also its tail, please.");
    await rui.page.getByRole("button", { name: /^Reject/ }).click();
    await until("it is sent back", async () => (await ana.get<TaskDetail>(`/tasks/${task}`)).state === "changes-requested", 10_000);
  });

  it("the annotator reads the comment, mends and submits; the reviewer approves", async () => {
    await ana.page.goto(`/projects/aviary/tasks/${task}`);
    await ana.page.getByTestId("review-comment").filter({ hasText: "Also its tail, please." }).waitFor();
    await ana.page.getByTestId("pin-words").filter({ hasText: "row 8, column 9: Its beak" }).waitFor();
    await ana.page.getByTestId("pins").locator(".pin").filter({ hasText: "Its beak" }).waitFor();
    await stroke(ana.page, [0.5, 0.3], [0.5, 0.7]);
    await saved(ana.page);
    await ana.page.locator("#submit").click();
    await until("it is submitted again", async () => (await ana.get<TaskDetail>(`/tasks/${task}`)).state === "submitted", 20_000);
    await rui.page.goto("/projects/aviary/review");
    await rui.page.getByRole("button", { name: /^Review the next one/ }).click();
    await rui.page.locator("[data-drawn]").waitFor();
    await rui.page.getByRole("button", { name: /^Approve/ }).click();
    await until("it is approved", async () => (await ana.get<TaskDetail>(`/tasks/${task}`)).state === "approved", 10_000);
  });

  it("a map of a near image is offered with both pictures, and is one step that undo takes back", async () => {
    const { label_name } = await ana.get<TaskDetail>(`/tasks/${task}`);
    const { tasks } = await ana.get<TaskPage>(`/tasks?project=aviary&state=open&limit=200`);
    const other = tasks.find((t) => t.label_name === label_name);
    expect(other, `another open task of ${label_name}`).toBeDefined();
    await ana.page.goto(`/projects/aviary/tasks/${other!.id}`);
    await ana.page.locator("#editor [data-picture=shown]").waitFor();
    await stroke(ana.page, [0.3, 0.3], [0.7, 0.3]);
    await saved(ana.page);
    const mine = (await ana.get<TaskDetail>(`/tasks/${other!.id}`)).edit!;
    await ana.page.getByTestId("map-more").click();
    const offer = ana.page.locator("[data-testid^=start-near-]").filter({ hasText: `#${task}` });
    await offer.locator("img").nth(1).waitFor();
    await offer.click();
    await ana.page.getByTestId("strokes").getByText("From a near image's map").waitFor();
    const valuesOf = async () => JSON.stringify((await ana.get<TaskDetail>(`/tasks/${other!.id}`)).edit!.map.values);
    const theirs = JSON.stringify((await ana.get<TaskDetail>(`/tasks/${task}`)).edit!.map.values);
    await until("it is the other image's map", async () => (await valuesOf()) === theirs, 100_000);
    await ana.page.getByTestId("stage").focus();
    await ana.page.keyboard.press("Control+z");
    await until("it is the painter's own again", async () => (await valuesOf()) === JSON.stringify(mine.map.values), 100_000);
  });

  it("arrows move over the contact sheet, also by rows", async () => {
    await rui.page.goto("/projects/aviary/queue");
    await rui.page.locator(".task-card > a").nth(20).waitFor();
    const place = () => rui.page.evaluate(() => {
      const links = [...document.querySelectorAll(".task-card > a")];
      const { left } = document.activeElement!.getBoundingClientRect();
      return { at: links.indexOf(document.activeElement!), below: left === links[0]!.getBoundingClientRect().left };
    });
    await rui.page.keyboard.press("ArrowRight");
    await rui.page.keyboard.press("ArrowDown");
    const { at, below } = await place();
    expect(at).toBeGreaterThan(1);
    expect(below).toBe(true);
    await rui.page.keyboard.press("ArrowUp");
    expect((await place()).at).toBe(0);
  });

  it("the admin runs a round and sees its curve and its result", async () => {
    await ada.page.goto("/projects/aviary/rounds/new");
    await ada.page.getByLabel(/^Epochs/).fill("2"); // enough for a curve and a version
    await ada.page.getByRole("button", { name: "Start round" }).click();
    await ada.page.waitForURL(/\/rounds\/\d+$/);
    const round = Number(/rounds\/(\d+)/.exec(ada.page.url())![1]);
    await ada.page.locator("[data-chart] canvas").first().waitFor();
    await until("the round finishes", async () => {
      const { state } = await ada.get<Round>(`/rounds/${round}`);
      if (state === "failed" || state === "cancelled") throw new Error(`the round ${state}`);
      return state === "finished";
    }, 200_000);
    await ada.page.getByText(/over the control/).first().waitFor();
    await ada.page.locator("tr[data-measure=accuracy]").waitFor();
  });

  it("the admin activates the version, and its scan is shown", async () => {
    const eve = await Person.signIn(browser, studio, "admin"); // her browser complains of the question, which is meant
    await eve.page.goto("/projects/aviary/versions");
    for (const { page } of [ada, eve]) page.on("dialog", (dialog) => void dialog.accept());
    await eve.page.getByRole("button", { name: "Activate v2" }).click();
    const confirm = eve.page.locator("dialog[open]").getByRole("button").filter({ hasText: /Activate|Yes|OK/ });
    if (await confirm.count()) await confirm.first().click();
    // So short a round makes something clearly worse, such as the attention branch's own answer, unless chance has it: that has to be meant.
    const asked = eve.page.getByRole("alert", { name: "What got worse" });
    await until("v2 is asked about or active", async () =>
      (await asked.count()) > 0 || (await ada.get<ProjectSummary>("/projects/aviary")).active_version?.number === 2);
    if (await asked.count()) {
      await asked.getByLabel(/Why activate it/).fill("its answer is the perception branch's");
      await asked.getByRole("button", { name: "Activate v2" }).click();
    }
    await until("v2 has predicted every image", async () => {
      const project = await ada.get<ProjectSummary>("/projects/aviary");
      return project.active_version?.number === 2 && project.active_version.scanned === project.images;
    });
    await ada.page.goto("/projects/aviary/queue");
    await ada.page.getByRole("heading", { name: /\d+ tasks?/ }).waitFor();
  });

  it("the admin brings a model: what is none is told so, what is one is inspected and becomes a version", async () => {
    const eve = await Person.signIn(browser, studio, "admin"); // her browser complains of the refusal, which is meant
    await eve.page.goto("/projects/aviary/versions");
    await eve.page.getByRole("link", { name: "Add a version" }).click();
    const send = async (name: string, buffer: Buffer) => {
      await eve.page.locator("input[name=model]").setInputFiles({ name, mimeType: "application/octet-stream", buffer });
      await eve.page.getByRole("button", { name: "Send and inspect" }).click();
    };
    await send("notes.onnx", Buffer.from("a text file"));
    await eve.page.getByRole("alert").filter({ hasText: "this is a text" }).waitFor();
    await send("model.onnx.data", Buffer.from("weights"));
    await eve.page.getByRole("alert").filter({ hasText: "the data beside a model" }).waitFor();

    const versions = await eve.get<{ versions: { id: number }[] }>("/projects/aviary/versions");
    const file = await eve.context.request.get(`${studio.address}/api/v1/versions/${versions.versions[0]!.id}/onnx`);
    await send("birds.onnx", await file.body());
    await eve.page.waitForURL(/\/uploads\/\d+$/);
    await eve.page.getByRole("heading", { name: "birds.onnx" }).waitFor();
    await eve.page.locator(".ways").getByText("✓ yes").first().waitFor();
    await eve.page.getByText("Resized to").waitFor(); // the download carried its manifest: nothing is asked
    expect(await eve.page.locator("textarea[name=classes]").count()).toBe(0);
    await eve.page.getByRole("button", { name: "Add as a version" }).click();
    await eve.page.locator("[data-upload-state=added]").waitFor(); // the page follows the worker by itself
    await eve.page.locator(".notice", { hasText: "It is v3 (candidate)" }).waitFor();
    expect(eve.complaints).toEqual([expect.stringContaining("422")]);
    await eve.context.close();
  });

  it("the admin starts a round on Gorgonia from the form, watches its first steps and cancels it", async () => {
    await ada.page.goto("/projects/aviary/rounds/new");
    await ada.page.locator("summary", { hasText: "Engine" }).click();
    await ada.page.locator("input[name=engine][value=gorgonia]").check();
    await ada.page.locator("summary", { hasText: "Maps" }).click();
    await ada.page.getByLabel(/^Anchor/).fill("0.5");
    await ada.page.getByRole("button", { name: "Start round" }).click();
    await ada.page.waitForURL(/\/rounds\/\d+$/);
    await ada.page.locator(".head").getByText("on Gorgonia").waitFor();
    await ada.page.locator("[data-chart=loss_anchor] canvas").waitFor();
    await ada.page.locator("[data-curves-note]").filter({ hasText: /step \d/ }).waitFor();
    await ada.page.getByRole("button", { name: "Cancel round" }).click();
    await ada.page.getByText("Nothing was kept of it").or(ada.page.locator(".chip-cancelled")).first().waitFor();
  });

  it("nothing complained", () => {
    expect([...ana.complaints, ...rui.complaints, ...ada.complaints]).toEqual([]);
  });
});
