// The README's three pictures, of a demo of their own: the queue, the editor with a map being painted, a round's result. `make screenshots`
// names the folder they are written to; in the tests nothing runs.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { Browser } from "playwright-core";
import type { ProjectSummary, Round, TaskPage } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, stroke, Studio, until } from "./studio";

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

  it("the editor", async () => {
    const { page } = ada;
    const { tasks } = await ada.get<TaskPage>("/tasks?project=aviary&state=open&limit=1");
    await page.goto(`/projects/aviary/tasks/${tasks[0]!.id}`);
    await page.locator("#editor [data-picture=shown]").waitFor();
    for (const y of [0.4, 0.5, 0.6]) await stroke(page, [0.4, y], [0.62, y]);
    await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    await page.waitForLoadState("networkidle");
    await shoot("editor");
  });
});
