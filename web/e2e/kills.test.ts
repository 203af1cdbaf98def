// A painter's day among faults: strokes are drawn while the network goes, the tab crashes or is closed, and the server is killed. Every
// stroke that the hand has ended is there afterwards. STUDIO_KILLS says how many faults there are; `make test-long` has 50.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, CDPSession, Page } from "playwright-core";
import type { ProjectSummary } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, stroke, Studio, until } from "./studio";

const kills = Number(process.env.STUDIO_KILLS ?? 0);

describe.skipIf(chromiumPath() === undefined || kills === 0)("among faults", () => {
  let studio: Studio, browser: Browser, ana: Person, page: Page, address = "";
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    ana = await Person.signIn(browser, studio, "annotator");
    page = ana.page;
    await until("the demo project is ready", async () => ((await ana.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 10, 180_000);
    await next();
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  /** Takes the next task. */
  const next = async () => {
    await page.goto("/projects/aviary/queue");
    await page.getByRole("button", { name: /Paint the next one/ }).click();
    await working();
    address = page.url();
  };
  const working = () => page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
  const steps = () => page.getByTestId("strokes").getByRole("button").count();
  const saved = () => page.locator("[data-testid=save-state]:is([data-state=saved], [data-state=untouched])").waitFor({ state: "attached" });
  /** Opens the task in a new tab, as somebody does whose tab is gone. */
  const reopen = async () => {
    page = await ana.context.newPage();
    await page.goto(address);
    await working();
  };

  // What goes wrong, and what the painter does then.
  const faults: Record<string, { strike: () => Promise<void>; recover: () => Promise<void> }> = {
    "the network goes": {
      strike: () => ana.context.setOffline(true),
      recover: async () => { await draw(); await ana.context.setOffline(false); await saved(); },
    },
    "the tab crashes": {
      strike: async () => {
        const tab: CDPSession = await ana.context.newCDPSession(page);
        const gone = page.waitForEvent("crash");
        tab.send("Page.crash").catch(() => undefined); // it does not answer any more
        await gone;
      },
      recover: async () => { const dead = page; await reopen(); await dead.close(); },
    },
    "the tab is closed": { strike: () => page.close(), recover: reopen },
    "the server is killed": {
      strike: () => studio.kill(),
      recover: async () => { await draw(); await studio.restart(); await saved(); },
    },
  };

  let drawn = 0;
  const random = (() => { // mulberry32: the same day every time
    let state = 1;
    return () => {
      state = (state + 0x6D2B79F5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  })();
  const draw = async () => {
    await stroke(page, [0.1 + 0.8 * random(), 0.1 + 0.8 * random()], [0.1 + 0.8 * random(), 0.1 + 0.8 * random()]);
    drawn++;
  };

  it(`loses no stroke in ${kills} faults`, async () => {
    const names = Object.keys(faults);
    for (let i = 0; i < kills; i++) {
      const name = names[i % names.length]!;
      if (i % 10 === 9) { // a history has an end
        const last = address;
        await page.getByTestId("stage").focus();
        await page.locator("#submit:not([aria-disabled])").waitFor(); // once the picture has been seen
        await page.keyboard.press("Control+Enter");
        await page.waitForURL((url) => url.href !== last && url.href.includes("/tasks/"));
        await working();
        address = page.url();
      }
      const before = await steps();
      drawn = 0;
      for (let n = 1 + Math.floor(3 * random()); n > 0; n--) await draw();
      await new Promise((wait) => setTimeout(wait, 400 * random())); // in the middle of a save, or before, or after it
      await faults[name]!.strike();
      await faults[name]!.recover();
      await saved();
      expect(await steps(), `after ${drawn} strokes and fault ${i + 1}: ${name}`).toBe(before + drawn);
    }
  });
});
