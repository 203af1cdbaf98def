// Every page as axe judges it (WCAG 2.2 A and AA), on a wide screen in light and on a phone in dark. What axe cannot judge is in
// docs/accessibility.md.
import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import type { ImagePage, ProjectSummary, Shared, TaskPage } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, stroke, Studio, until } from "./studio";

const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");

const screens = [
  { name: "1280×720, light", size: { width: 1280, height: 720 }, scheme: "light" },
  { name: "390×844, dark", size: { width: 390, height: 844 }, scheme: "dark" },
] as const;

/** What axe finds that is serious, as lines: the rule, its element and why. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.filter((v) => v.impact === "serious" || v.impact === "critical")
      .flatMap((v) => v.nodes.slice(0, 5).map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary?.split("\n").slice(1).map((line) => line.trim()).join("; ")}`));
  });
}

describe.skipIf(!browserThere)("accessibility", () => {
  let studio: Studio, browser: Browser, ada: Person, ana: Person, rui: Person;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    [ada, ana, rui] = [await Person.signIn(browser, studio, "admin"), await Person.signIn(browser, studio, "annotator"), await Person.signIn(browser, studio, "reviewer")];
    await until("the demo project is ready", async () => ((await ana.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 10, 180_000);
    const overlap = await ada.context.request.patch(`${studio.address}/api/v1/projects/aviary`, { data: { overlap: { share: 100, painters: 2, seed: 1 } } });
    expect(overlap.ok(), await overlap.text()).toBe(true);
    await ana.page.goto("/projects/aviary/queue");
    await ana.page.getByRole("button", { name: /Paint the next one/ }).click();
    await ana.page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
    await stroke(ana.page, [0.3, 0.3], [0.6, 0.6]);
    await ana.page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    const submitted = ana.page.url();
    await ana.page.getByRole("button", { name: /^Submit/ }).click();
    await until("the next task is open", () => Promise.resolve(ana.page.url() !== submitted), 60_000);
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  for (const { name, size, scheme } of screens) {
    const on = async (who: Person, path: string) => {
      await who.page.setViewportSize(size);
      await who.page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await who.page.goto(path);
      await who.page.waitForLoadState("networkidle");
      return (await findings(who.page)).map((line) => `${path}: ${line}`);
    };

    it(`finds nothing serious on the pages of an admin at ${name}`, async () => {
      const { images } = await ada.get<ImagePage>("/projects/aviary/images?limit=1");
      const paths = [
        "/projects", "/people", "/audit", "/space", "/webhooks", "/people/1/sessions", "/people/1/ways", "/account", "/guide", "/segmenter", "/archives",
        ...["queue", "images", `images/${images[0]!.id}`, "rounds", "rounds/new", "versions", "versions/new", "imports/new", "maps", "labels", "suspects", "activity", "webhooks", "settings", "export", "leakage", "start", "forecast", "agreement", "people"].map((page) => `/projects/aviary/${page}`),
      ];
      const { images: shared } = await ada.get<Shared>("/projects/aviary/agreement");
      paths.push(`/projects/aviary/agreement/${shared[0]!.image.id}`);
      const found: string[] = [];
      for (const path of paths) found.push(...await on(ada, path));
      expect(found).toEqual([]);
    });

    it(`finds nothing serious in the editor at ${name}`, async () => {
      const { tasks } = await ana.get<TaskPage>("/tasks?project=aviary&state=open&limit=1");
      const found = await on(ana, `/projects/aviary/tasks/${tasks[0]!.id}`);
      await ana.page.keyboard.press("?");
      await ana.page.getByTestId("change-keys").click();
      found.push(...await findings(ana.page));
      expect(found).toEqual([]);
    });

    it(`finds nothing serious where maps are reviewed at ${name}`, async () => {
      const { tasks } = await rui.get<TaskPage>("/tasks?project=aviary&state=submitted&limit=1");
      expect(await on(rui, `/projects/aviary/review/${tasks[0]!.id}`)).toEqual([]);
    });

    it(`finds nothing serious on the way in at ${name}`, async () => {
      const context = await browser.newContext({ viewport: size, colorScheme: scheme, baseURL: studio.address });
      const page = await context.newPage();
      await page.goto("/signin");
      expect(await findings(page)).toEqual([]);
      const invited = await ada.context.request.post(`${studio.address}/api/v1/invitations`, { data: { email: "new@example.org", role: "annotator", projects: [{ project: "aviary", role: "reviewer" }] } });
      expect(invited.ok(), await invited.text()).toBe(true);
      await page.goto(((await invited.json()) as { link: string }).link);
      expect(await findings(page)).toEqual([]);
      await context.close();
    });
  }
});
