// The README's three pictures, of a demo of their own: the queue, the editor with a map being painted, a round's result. `make screenshots`
// names the folder they are written to; in the tests nothing runs.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Browser } from "playwright-core";
import type { ProjectSummary, Round, TaskPage } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, Studio, until } from "./studio";

const folder = process.env.STUDIO_SCREENSHOTS ?? "";

describe.skipIf(chromiumPath() === undefined || folder === "")("the README's pictures", () => {
  let studio: Studio, browser: Browser, ada: Person;
  const shoot = (name: string) => ada.page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });

  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    [studio, browser] = await Promise.all([Studio.start(), openBrowser()]);
    ada = await Person.signIn(browser, studio, "admin");
    await until("the demo project is ready", async () => ((await ada.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 0);
  });
  afterAll(async () => {
    await browser.close();
    await studio.stop();
  });

  it("a round's result", async () => {
    const { page } = ada;
    await page.goto("/projects/aviary/rounds/new");
    await page.getByRole("button", { name: "Start round" }).click();
    await page.waitForURL(/\/rounds\/\d+$/);
    const round = Number(/rounds\/(\d+)/.exec(page.url())![1]);
    await until("the round finishes", async () => (await ada.get<Round>(`/rounds/${round}`)).state === "finished", 900_000);
    await page.reload({ waitUntil: "networkidle" });
    await shoot("round");
  });

  it("the queue", async () => {
    await ada.page.goto("/projects/aviary/queue", { waitUntil: "networkidle" });
    await shoot("queue");
  });

  // A map of the object, after which the answer is right, as most are whose scene misled the network.
  it("the editor", async () => {
    const { page } = ada;
    const { tasks } = await ada.get<TaskPage>("/tasks?project=aviary&state=open&limit=20");
    const helped = page.locator("[data-testid=verdict][data-verdict=right]");
    for (const task of tasks) {
      await page.goto(`/projects/aviary/tasks/${task.id}`);
      await page.locator("#editor [data-picture=shown]").waitFor();
      await page.getByTestId("map-more").click();
      await page.getByTestId("start-mask").click();
      await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
      await page.waitForLoadState("networkidle");
      if (await helped.isVisible()) break;
    }
    await helped.waitFor();
    await shoot("editor");
  });
});
