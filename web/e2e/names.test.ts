// Names are as long as they may be: no button of the editor's bar is squeezed, covered or pushed out, no page is wider than its window, and
// nothing moves under the hand that judges.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import type { ProjectSummary } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, stroke, Studio, until } from "./studio";

const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");

const screens = [{ width: 1280, height: 720 }, { width: 390, height: 844 }, { width: 640, height: 360 }] as const; // the last is the first at 200 %
const long = (of: string, length: number) => `${of} ${"greater white-throated woodpecker of the upper Amazonian cloud forest ".repeat(9)}`.slice(0, length).trim();

/** What is wrong with the bar: buttons that are narrower than they are to be, that lie over one another, or outside of the window. */
const squeezed = (page: Page): Promise<string[]> => page.evaluate(() => {
  const parts = [...document.querySelectorAll<HTMLElement>(".editor-bar > *")].filter((e) => e.getBoundingClientRect().width > 1 && !e.matches(".visually-hidden, .grow"));
  const name = (e: HTMLElement) => e.id || e.className || e.textContent;
  return parts.flatMap((part, i) => {
    const { left, right, width } = part.getBoundingClientRect();
    const next = parts[i + 1]?.getBoundingClientRect();
    return [
      ...(part.matches("button.square") && width < 28 ? [`${name(part)} is ${width} px wide`] : []),
      ...(part.matches("button") && part.scrollWidth > part.clientWidth + 1 ? [`${name(part)} has no room for its words`] : []),
      ...(left < 0 || right > innerWidth ? [`${name(part)} is from ${left} to ${right} px`] : []),
      ...(next && next.left < right - 1 ? [`${name(part)} lies over what follows`] : []),
    ];
  });
});

describe.skipIf(!browserThere)("the longest names", () => {
  let studio: Studio, browser: Browser, ada: Person, ana: Person, rui: Person;

  beforeAll(async () => {
    studio = await Studio.start();
    browser = await openBrowser();
    [ada, ana, rui] = [await Person.signIn(browser, studio, "admin"), await Person.signIn(browser, studio, "annotator"), await Person.signIn(browser, studio, "reviewer")];
    await until("the demo project is ready", async () => ((await ana.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 10, 180_000);
    const patch = async (path: string, data: object) => {
      const answer = await ada.context.request.patch(`${studio.address}/api/v1${path}`, { data });
      expect(answer.ok(), await answer.text()).toBe(true);
    };
    const { classes } = await ada.get<ProjectSummary>("/projects/aviary");
    for (const c of classes) await patch(`/projects/aviary/classes/${c.index}`, { name: c.index % 2 ? long(String(c.index), 130) : long(String(c.index), 130).replaceAll(/[ -]/g, "_") }); // half of them have no place to break
    await patch("/projects/aviary", { name: long("Aviary", 60) });
  });

  afterAll(async () => {
    await browser.close();
    await studio.stop();
  });

  it("squeeze no bar of the editor and widen no page", async () => {
    const { page } = ana;
    await page.goto("/projects/aviary/queue");
    await page.getByRole("button", { name: /Paint the next one/ }).click();
    await page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
    await stroke(page, [0.3, 0.3], [0.6, 0.6]);
    await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    const editor = page.url();
    for (const size of screens) {
      await page.setViewportSize(size);
      for (const path of [editor, "/projects/aviary/queue", "/projects/aviary/images", "/projects/aviary/versions", "/projects/aviary/rounds"]) {
        await page.goto(path);
        await page.waitForLoadState("networkidle");
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(wide, `${path} at ${size.width} px`).toBeLessThanOrEqual(0);
        if (path === editor) expect(await squeezed(page), `at ${size.width} px`).toEqual([]);
      }
    }
    await page.goto(editor);
    await page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
    await page.getByRole("button", { name: /^Submit/ }).click();
    await until("the next task is open", () => Promise.resolve(page.url() !== editor), 60_000);
  });

  it("leave the buttons of a verdict where they are, whatever is told", async () => {
    const { page } = rui;
    const task = (await rui.get<{ reviews: { id: number }[] }>("/projects/aviary/reviews")).reviews[0]?.id ?? 0;
    for (const size of screens) {
      await page.setViewportSize(size);
      await page.goto(`/projects/aviary/review/${task}`);
      await page.locator("button[value=reject]:not([aria-disabled])").waitFor();
      const top = () => page.evaluate(() => Math.round((document.querySelector("button[value=reject]")?.getBoundingClientRect().top ?? 0) + scrollY));
      const before = await top();
      await page.keyboard.press("x");
      await page.locator("[data-told]").waitFor();
      expect([await top(), await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)], `at ${size.width} px`).toEqual([before, expect.toSatisfy((wide: number) => wide <= 0)]);
    }
  });
});
