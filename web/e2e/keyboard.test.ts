// The loop by keyboard alone: sign in, paint, submit, send back, mend, correct and approve. No pointer is moved. On three screens.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import type { ProjectSummary, TaskDetail } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, Studio, until } from "./studio";

const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");

const languages = ["en", "ja"] as const;

const screens = [
  { name: "1280×720", viewport: { width: 1280, height: 720 } },
  { name: "390×844", viewport: { width: 390, height: 844 } },
  { name: "1280×720 at 200%", viewport: { width: 640, height: 360 } },
] as const;

/** Goes on with Tab until something that the selector names has the focus. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 300; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
  }
  throw new Error(`${selector}: not among what Tab goes through on ${page.url()}`);
}

/** Goes to a link, or opens the menu it is in first, and follows it. */
async function follow(page: Page, selector: string): Promise<void> {
  await tabTo(page, selector);
  await page.keyboard.press("Enter");
}

const saved = (page: Page) => page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
const taskOf = (page: Page) => Number(/\/(?:tasks|review)\/(\d+)/.exec(page.url())![1]);

/** Selects three by three cells from where the hand is and fills them, with the strength of a digit. */
async function paint(page: Page, strength: string, ...moves: string[]): Promise<void> {
  await tabTo(page, "[data-testid=stage]");
  for (const key of [...moves, "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown", strength, "Enter", "Escape"]) await page.keyboard.press(key);
}

describe.skipIf(!browserThere)("by keyboard alone", () => {
  let studio: Studio, browser: Browser, watcher: Person;
  const closing: (() => Promise<void>)[] = [];
  const stateOf = async (task: number) => (await watcher.get<TaskDetail>(`/tasks/${task}`)).state;

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    watcher = await Person.signIn(browser, studio, "admin"); // only asks the API
    await until("the demo project is ready", async () => ((await watcher.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 10);
  });
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  async function comesIn(role: string, viewport: { width: number; height: number }, locale: string): Promise<Page> {
    const context = await browser.newContext({ viewport, locale, baseURL: studio.address });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    const account = studio.account(role);
    await page.goto("/signin");
    await page.locator("input[type=email]").waitFor();
    if (!(await page.evaluate(() => document.activeElement?.matches("input[type=email]")))) await tabTo(page, "input[type=email]");
    await page.keyboard.type(account.Email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(account.Password);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => !url.pathname.startsWith("/signin"));
    await follow(page, "a[href^='/projects/aviary']");
    await page.waitForURL("**/projects/aviary/queue*");
    expect(await page.locator("html").getAttribute("lang")).toBe(locale);
    return page;
  }

  for (const locale of languages) for (const { name, viewport } of screens) {
    it(`paints, submits, reviews and mends at ${name} in ${locale}`, async () => {
      const painter = await comesIn("annotator", viewport, locale);
      await follow(painter, "form[action$='/tasks/next'] button");
      await painter.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
      const task = taskOf(painter);
      await paint(painter, "9", "ArrowDown", "ArrowRight");
      await saved(painter);
      await painter.locator("#submit:not([aria-disabled])").waitFor(); // once the picture has been seen
      await painter.keyboard.press("Control+Enter");
      await until("the next task is open", () => Promise.resolve(taskOf(painter) !== task));
      expect(await stateOf(task)).toBe("submitted");

      const reviewer = await comesIn("reviewer", viewport, locale);
      const reviewsNext = async () => {
        await reviewer.goto("/projects/aviary/review");
        await follow(reviewer, "form[action$='/review/next'] button");
        await reviewer.locator("[data-desk][data-held=mine][data-drawn] button[value=approve]:not([aria-disabled], [disabled])").waitFor();
      };
      await follow(reviewer, "nav.tabs a[href$='/review']");
      await reviewer.waitForURL("**/review");
      await reviewsNext();
      expect(taskOf(reviewer)).toBe(task);
      await reviewer.keyboard.press("1"); // the first reason
      await reviewer.keyboard.press("x");
      await until("it is sent back", async () => (await stateOf(task)) === "changes-requested");

      await painter.goto(`/projects/aviary/tasks/${task}`);
      await painter.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
      await paint(painter, "5", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown");
      await saved(painter);
      await painter.locator("#submit:not([aria-disabled])").waitFor(); // once the picture has been seen
      await painter.keyboard.press("Control+Enter");
      await until("it is submitted again", async () => (await stateOf(task)) === "submitted");

      await reviewsNext();
      await reviewer.keyboard.press("f"); // corrects it
      await reviewer.waitForURL("**/correct");
      await reviewer.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
      await paint(reviewer, "0", "ArrowDown", "ArrowDown");
      await reviewer.locator("#submit:not([aria-disabled])").waitFor();
      await reviewer.keyboard.press("Control+Enter");
      await until("it is approved", async () => (await stateOf(task)) === "approved");
      const { edit } = await watcher.get<TaskDetail>(`/tasks/${task}`);
      expect(edit?.author).toBe(studio.account("reviewer").Name);
      await reviewer.waitForURL((url) => !url.pathname.endsWith("/correct")); // the page goes on by itself
      for (const page of [painter, reviewer]) await page.goto("about:blank"); // Chromium now and then never ends a context that is closed here
    });
  }
});
