// The hand at the canvas: mouse, pen and fingers. Pen and touch come through the browser's debugging protocol, since Playwright has no pen.
import { createHmac } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Browser, CDPSession, Locator, Page } from "playwright-core";
import type { ProjectSummary, TaskDetail, TaskPage } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, stroke, Studio, until } from "./studio";

const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");

interface Contact { id: number; x: number; y: number; across?: number }

describe.skipIf(!browserThere)("the hand", () => {
  let studio: Studio, browser: Browser, ana: Person, page: Page, cdp: CDPSession;
  const closing: (() => Promise<void>)[] = [];
  let middle = { x: 0, y: 0 }, before = 0;

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    ana = await Person.signIn(browser, studio, "annotator");
    page = ana.page;
    cdp = await ana.context.newCDPSession(page);
    await until("the demo project is ready", async () => ((await ana.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 10, 180_000);
    await page.goto("/projects/aviary/queue");
    await page.getByRole("button", { name: /Paint the next one/ }).click();
  });

  afterAll(async () => {
    expect(ana.complaints).toEqual([]);
    for (const close of closing.reverse()) await close();
  });

  // Each begins on a clear map with a small brush, as somebody who has never used a pen.
  beforeEach(async () => {
    await page.evaluate(() => {
      localStorage.setItem("abn-editor/settings", JSON.stringify({ size: 2, hardness: 1, view: "cells", opacity: 1 }));
    });
    await reload();
    await page.getByTestId("map-clear").click();
    const box = (await page.getByTestId("stage").boundingBox())!;
    middle = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
    before = await steps();
  });

  /** Loads the page again once its strokes are saved: a save under way meanwhile is answered with 409 to the new page, which the console counts as a fault. */
  const reload = async () => {
    await page.locator("[data-testid=save-state]:is([data-state=saved], [data-state=untouched])").waitFor({ state: "attached" });
    await page.reload();
    await page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
  };
  /** How many steps have been made since the map was cleared. */
  const strokes = async () => (await steps()) - before;
  const places = () => page.locator(".panel-section").evaluateAll((all) => all.map((e) => Math.round(e.getBoundingClientRect().top)));
  const steps = () => page.getByTestId("strokes").getByRole("button").count();
  /** What the canvas shows of the map beside a place, where the cursor's point does not hide it, from 0 (nothing) to 1. The map is opaque here. */
  const painted = (x: number, y: number) => page.evaluate(async ([x, y]) => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const canvas = document.querySelector<HTMLCanvasElement>("#stage canvas.front")!;
    const box = canvas.getBoundingClientRect();
    const at = canvas.getContext("2d")!.getImageData((x! + 8 - box.x) * devicePixelRatio, (y! + 5 - box.y) * devicePixelRatio, 1, 1).data;
    return at[1]! / 255; // viridis: its green grows with the value
  }, [x, y]);
  const pen = (type: "mousePressed" | "mouseMoved" | "mouseReleased", x: number, y: number, force = 0.9) =>
    cdp.send("Input.dispatchMouseEvent", { type, x, y, force, pointerType: "pen", button: type === "mouseMoved" ? "none" : "left", buttons: type === "mouseReleased" ? 0 : 1, clickCount: 1 });
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...contacts: Contact[]) =>
    cdp.send("Input.dispatchTouchEvent", { type, touchPoints: contacts.map(({ id, x, y, across = 20 }) => ({ id, x, y, radiusX: across / 2, radiusY: across / 2, force: 1 })) });

  /** How much paint there is on the whole map, from 0 to 1. */
  const ink = () => page.evaluate(async () => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const canvas = document.querySelector<HTMLCanvasElement>("#stage canvas.front")!;
    const pixels = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data;
    let sum = 0;
    for (let i = 1; i < pixels.length; i += 4) sum += pixels[i]!;
    return sum / 255 / (pixels.length / 4);
  });

  const bare = 0.2, full = 0.45; // between them is a cell's edge

  it("paints under the pointer at once, and not around the corner", async () => {
    const { x, y } = middle;
    await page.mouse.move(x - 150, y - 150);
    await page.mouse.down();
    await page.mouse.move(x + 150, y - 150); // one event, as a fast hand makes
    expect(await painted(x + 150, y - 150)).toBeGreaterThan(full);
    await page.mouse.move(x + 150, y + 150);
    expect(await painted(x + 150, y + 150)).toBeGreaterThan(full);
    expect(await painted(x + 150, y - 140)).toBeGreaterThan(full);
    expect(await painted(x + 40, y - 40)).toBeLessThan(bare);
    await page.mouse.up();
    await until("the stroke is a step", async () => (await strokes()) === 1, 5000);
  });

  it("steadies the hand where it is asked to, and finishes when it rests", async () => {
    const { x, y } = middle;
    await page.getByTestId("set-stabilising").fill("0.8");
    await page.mouse.move(x - 150, y);
    await page.mouse.down();
    await page.mouse.move(x + 150, y);
    await until("the tail is finished while the button is down", async () => (await painted(x + 150, y)) > full, 5000);
    await page.mouse.up();
  });

  it("gives the palm's stroke up to the pen, and the pen's to nothing", async () => {
    const { x, y } = middle;
    const stood = await places();
    await touch("touchStart", { id: 1, x: x + 120, y: y + 120 });
    await touch("touchMove", { id: 1, x: x + 100, y: y + 120 });
    expect(await painted(x + 110, y + 120)).toBeGreaterThan(full);
    await pen("mousePressed", x - 120, y);
    await pen("mouseMoved", x - 60, y);
    expect(await painted(x + 110, y + 120)).toBeLessThan(bare); // the blot is gone
    await touch("touchStart", { id: 1, x: x + 100, y: y + 120 }, { id: 2, x: x + 40, y: y + 140 });
    await touch("touchMove", { id: 1, x: x + 90, y: y + 120 }, { id: 2, x: x + 30, y: y + 150 });
    await pen("mouseMoved", x + 60, y);
    await pen("mouseReleased", x + 60, y);
    await touch("touchEnd");
    await until("the pen's stroke is a step, and the only one", async () => (await strokes()) === 1, 5000);
    expect(await painted(x + 20, y)).toBeGreaterThan(full);
    // Then a palm, then fingers: the picture moves, nothing is painted.
    await touch("touchStart", { id: 3, x: x - 100, y: y + 120 });
    await touch("touchMove", { id: 3, x: x - 40, y: y + 120 });
    await touch("touchEnd");
    await page.waitForTimeout(600);
    expect(await painted(x - 100, y + 120)).toBeLessThan(bare);
    await touch("touchStart", { id: 4, x: x - 100, y: y + 100 });
    await touch("touchMove", { id: 4, x: x - 100, y: y + 180 });
    await touch("touchEnd");
    expect(await painted(x + 20, y + 80)).toBeGreaterThan(full);
    expect(await strokes()).toBe(1);
    expect(await places()).toEqual(stood); // what can be set of pen and fingers comes with the next picture
    await reload();
    const words = page.getByTestId("fingers").getByRole("button", { pressed: true });
    expect(await words.textContent()).toBe("Move");
    await page.getByTestId("fingers-paint").click();
    await touch("touchStart", { id: 5, x: x - 100, y: y - 100 });
    await touch("touchMove", { id: 5, x: x - 40, y: y - 100 });
    await touch("touchEnd");
    await until("a finger paints again", async () => (await strokes()) === 2, 5000);
  });

  it("knows a palm by its size", async () => {
    const { x, y } = middle;
    await touch("touchStart", { id: 1, x, y, across: 90 });
    await touch("touchMove", { id: 1, x: x + 50, y, across: 90 });
    await touch("touchEnd");
    expect(await painted(x + 20, y)).toBeLessThan(bare);
    await touch("touchStart", { id: 2, x, y, across: 30 });
    await touch("touchMove", { id: 2, x: x + 50, y, across: 30 });
    await touch("touchEnd");
    expect(await painted(x + 20, y)).toBeGreaterThan(full);
    await until("the finger's stroke is the only step", async () => (await strokes()) === 1, 5000);
  });

  it("believes the pressure of a tablet that calls its pen a mouse", async () => {
    const { x, y } = middle;
    await page.getByTestId("set-size").fill("0.7"); // a large brush
    // The protocol gives a mouse no pressure of its own.
    const press = (pressure: number) => page.evaluate(([clientX, clientY, pressure]) => {
      const at = { clientX, clientY, pointerType: "mouse", pointerId: 77, button: 0, bubbles: true, cancelable: true } as PointerEventInit;
      const stage = document.querySelector("#stage")!;
      stage.dispatchEvent(new PointerEvent("pointerdown", { ...at, buttons: 1, pressure: pressure! }));
      stage.dispatchEvent(new PointerEvent("pointerup", { ...at, buttons: 0, pressure: 0 }));
    }, [x, y, pressure]);
    const none = await ink();
    await press(0.05);
    const light = (await ink()) - none;
    expect(light).toBeGreaterThan(0);
    await page.getByTestId("map-clear").click();
    await press(0.5); // a mouse
    expect((await ink()) - none).toBeGreaterThan(3 * light);
    await reload();
    expect(await page.getByTestId("set-pressure").isVisible()).toBe(true);
  });

  it("shows the brush on the ground around the picture too, which costs nothing while the hand is on the picture", async () => {
    const view = (await page.locator("#stage canvas.front").boundingBox())!;
    const ground = page.locator("#stage canvas.ground");
    await page.mouse.move(middle.x, middle.y);
    await ground.waitFor({ state: "hidden" });
    for (const [x, y] of [[view.x, middle.y], [view.x + view.width, middle.y], [view.x - 60, middle.y]] as const) {
      await page.mouse.move(x, y);
      await ground.waitFor({ state: "visible" });
      const [around, inside] = await page.evaluate(async ([x, y]) => {
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        return ["ground", "front"].map((name) => {
          const canvas = document.querySelector<HTMLCanvasElement>(`#stage canvas.${name}`)!;
          const box = canvas.getBoundingClientRect();
          const { data } = canvas.getContext("2d")!.getImageData((x! - box.x) * devicePixelRatio - 1, (y! - box.y) * devicePixelRatio - 1, 3, 3); // the brush's middle
          return new Set(new Uint32Array(data.buffer)).size > 1;
        });
      }, [x, y]);
      expect(around).toBe(true);
      if (x === view.x - 60) expect(inside).toBe(false);
    }
    await page.mouse.move(middle.x, middle.y);
    await ground.waitFor({ state: "hidden" });
  });

  it("keeps the slider's thumb where the brush is, after a load too", async () => {
    const thumb = page.getByTestId("set-size");
    await thumb.fill("0.7");
    const words = await page.locator(".slider", { has: thumb }).locator("output").textContent();
    await reload();
    expect(Number(await thumb.inputValue())).toBeCloseTo(0.7, 1);
    expect(await page.locator(".slider", { has: thumb }).locator("output").textContent()).toBe(words);
  });

  it("leaves the panels where they are while the answer changes", async () => {
    const { x, y } = middle;
    const stood = await places();
    expect(stood.length).toBeGreaterThan(2);
    const figures = await page.getByTestId("answer").textContent();
    await page.mouse.move(x - 150, y);
    await page.mouse.down();
    await page.mouse.move(x + 150, y, { steps: 5 });
    await page.mouse.up();
    await until("the answer is another", async () => (await page.getByTestId("answer").textContent()) !== figures, 60_000);
    expect(await places()).toEqual(stood);
  });

  it("has one tab stop for all strokes", async () => {
    const { x, y } = middle;
    for (let i = 0; i < 6; i++) {
      await page.mouse.move(x - 100, y - 60 + 20 * i);
      await page.mouse.down();
      await page.mouse.move(x + 100, y - 60 + 20 * i);
      await page.mouse.up();
    }
    await until("six strokes are listed", async () => (await strokes()) === 6, 5000);
    const stops = await page.getByTestId("strokes").getByRole("button").evaluateAll((all) => all.filter((e) => (e as HTMLElement).tabIndex >= 0).length);
    expect(stops).toBe(1);
  });

  it("shows what would help at the map as it is now, and tells whoever reviews", async () => {
    const { x, y } = middle;
    const legend = page.getByTestId("hint");
    expect(await legend.isVisible()).toBe(false);
    const without = await ink();
    await page.keyboard.press("Shift+W");
    const when = page.getByTestId("hint-when").filter({ hasText: "of the map as it is now" });
    await when.waitFor();
    const truth = (await page.getByTestId("true-class").first().textContent())!;
    expect(await legend.textContent()).toContain(`more here raises the score of ${truth}`);
    await until("the help is drawn", async () => (await ink()) !== without);
    const asked = page.waitForRequest((r) => r.url().endsWith("/activation-map"));
    await page.mouse.move(x - 100, y);
    await page.mouse.down();
    await page.mouse.move(x + 100, y, { steps: 4 });
    await page.getByTestId("hint-when").filter({ hasText: /^of the map before this change$/ }).waitFor();
    await page.mouse.up();
    const body = (await asked).postDataJSON() as { method: string; map: { values: number[] } };
    expect(body.method).toBe("help");
    expect(Math.max(...body.map.values)).toBeGreaterThan(0.9); // the stroke, on a map that was clear
    await when.waitFor();
    await page.getByTestId("toggle-hint").click();
    await legend.waitFor({ state: "hidden" });
    await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    const id = /\d+$/.exec(page.url())![0];
    const { edit } = await ana.get<TaskDetail>(`/tasks/${id}`);
    expect(edit!.hints!.help).toBeGreaterThanOrEqual(1); // the second one is shown after the save, where the machine is slow
  });

  it("selects the thing clicked, with a segmenter that has looked at the picture before the click", async () => {
    const admin = await Person.signIn(browser, studio, "admin");
    await admin.page.goto("/segmenter");
    const files = join(dirname(fileURLToPath(import.meta.url)), "../../inference/testdata/segmenters");
    await admin.page.locator("input[name=encoder]").setInputFiles(join(files, "sam_encoder.onnx"));
    await admin.page.locator("input[name=decoder]").setInputFiles(join(files, "sam_decoder.onnx"));
    await admin.page.getByRole("button", { name: "Send and try" }).click();
    await admin.page.getByRole("heading", { name: /sam_encoder/ }).waitFor();
    expect(admin.complaints).toEqual([]);
    await admin.context.close();
    await reload(); // the tool is there from the next page on
    const { x, y } = middle;
    const clicks: string[] = [];
    page.on("request", (r) => { if (r.url().includes("/segment")) clicks.push(r.url().replace(/.*\/tasks\/\d+/, "")); });
    const looked = page.waitForResponse((r) => r.url().endsWith("/segment/prepare"));
    await page.keyboard.press("j");
    expect((await looked).status()).toBe(204);
    await page.mouse.click(x, y);
    await page.getByTestId("selection").waitFor();
    await page.keyboard.press("Enter");
    await until("the region is painted", async () => (await strokes()) === 1, 5000);
    expect(await painted(x, y)).toBeGreaterThan(full);
    expect(clicks).toEqual(["/segment/prepare", "/segment"]);
  });

  it.each([[640, 360, "a browser at 200%"], [390, 844, "a phone"], [844, 390, "one on its side"]])("leaves room for the map and the true class at %i×%i, %s", async (width, height) => {
    const usual = page.viewportSize()!;
    await page.setViewportSize({ width, height });
    await reload();
    const stage = (await page.getByTestId("stage").boundingBox())!;
    expect(Math.min(stage.width, stage.height)).toBeGreaterThan(190);
    expect(stage.y + 190).toBeLessThan(height);
    expect(await truthShown(page)).toBe(true);
    expect((await page.locator(".aim:visible").innerText()).match(/the network says/gi)?.length).toBe(1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await page.setViewportSize(usual);
  });

  it("merges the maps of two windows cell by cell", async () => {
    const other = await ana.context.newPage(); // the second window, whose save comes too late
    await other.goto(page.url());
    await other.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
    await page.bringToFront();
    await stroke(page, [0.3, 0.3], [0.4, 0.3]);
    await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    await other.bringToFront();
    await stroke(other, [0.35, 0.3], [0.5, 0.3]);
    await other.getByTestId("merge").click();
    await other.getByTestId("merge-mean").check();
    await other.getByTestId("merge-every").click();
    await other.getByTestId("merge-map").focus();
    await other.keyboard.press("Space");
    expect(await other.getByTestId("merge-cell").textContent()).toMatch(/^row \d+, column \d+: this page [\d.]+, saved [\d.]+, taken: the mean$/);
    await other.getByTestId("keep-merged").click();
    await other.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    await other.close();
    await page.bringToFront();
  });

  it("has a key of the person's own for a tool, and none without Ctrl or Alt where these are off", async () => {
    await page.keyboard.press("?");
    await page.getByTestId("change-keys").click();
    await page.locator("[data-chord=e]").click();
    await page.keyboard.press("p");
    expect(await page.getByTestId("keys-told").textContent()).toContain("already “The photograph alone”");
    await page.keyboard.press("z");
    expect(await page.getByTestId("keys-told").textContent()).toBe("Z: Eraser");
    await page.keyboard.press("Escape");
    await page.keyboard.press("z");
    expect(await page.locator(".tool[aria-pressed=true]").getAttribute("aria-label")).toContain("Eraser");
    await page.keyboard.press("?");
    await page.getByTestId("single-keys").uncheck();
    await page.keyboard.press("Escape");
    await page.keyboard.press("l");
    expect(await page.locator(".tool[aria-pressed=true]").getAttribute("aria-label")).toContain("Eraser");
  });

  it("only looks at a task it comes to by a link, and takes it with the first stroke", async () => {
    const { tasks } = await ana.get<TaskPage>("/tasks?project=aviary&state=open&limit=1");
    const id = tasks[0]!.id;
    await page.goto(`/projects/aviary/tasks/${id}`);
    await page.locator("[data-testid=save-state][data-state=looking]").waitFor({ state: "attached" });
    expect((await ana.get<TaskDetail>(`/tasks/${id}`)).state).toBe("open");
    await stroke(page, [0.3, 0.3], [0.6, 0.6]);
    await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    const taken = await ana.get<TaskDetail>(`/tasks/${id}`);
    expect([taken.state, taken.lease?.mine, taken.edit?.revision]).toEqual(["leased", true, 1]);
  });

  it("says of a submitted map what it is now when the hand goes back to it, nothing of before, and gives it back with a stroke", async () => {
    await stroke(page, [0.2, 0.2], [0.7, 0.7]);
    const submitted = page.url();
    await page.getByRole("button", { name: /^Submit/ }).click();
    const notice = page.getByTestId("notice");
    await notice.filter({ hasText: "Submitted for review" }).waitFor();
    await until("the next task is open", () => Promise.resolve(page.url() !== submitted), 60_000);
    await page.goBack();
    await notice.filter({ hasText: "It waits for review: the first stroke takes it back" }).waitFor();
    await page.locator("[data-testid=save-state][data-state=looking]").waitFor({ state: "attached" });
    expect(page.url()).toBe(submitted);
    await page.goForward();
    await until("the next task is open again", () => Promise.resolve(page.url() !== submitted), 60_000);
    await notice.filter({ hasText: /^$/ }).waitFor({ state: "attached" });
    await page.goBack();
    await until("the submitted map is open again", () => Promise.resolve(page.url() === submitted), 60_000); // the next task may only be looked at, too
    await notice.filter({ hasText: "It waits for review: the first stroke takes it back" }).waitFor();
    await page.locator("[data-testid=save-state][data-state=looking]").waitFor({ state: "attached" });
    await stroke(page, [0.2, 0.7], [0.7, 0.2]);
    await notice.filter({ hasText: "Taken back from review" }).waitFor();
    await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    expect((await ana.get<TaskDetail>(`/tasks/${/\d+$/.exec(submitted)![0]}`)).state).toBe("leased");
  });

  it("keeps the zoom over reloads", async () => {
    const zoom = async () => parseInt((await page.locator(".status-zoom").textContent())!.replace(/\D/g, ""), 10);
    const fitting = await zoom();
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.wheel(0, -400);
    await until("the picture is zoomed", async () => (await zoom()) > 1.2 * fitting, 5000);
    const zoomed = await zoom();
    for (let loads = 0; loads < 3; loads++) {
      await reload();
      expect(await zoom()).toBe(zoomed);
    }
  });

  it("asks to sign in again once the hand rests, takes the task then, and sends nothing in another's name", async () => {
    const again = await Person.signIn(browser, studio, "annotator"); // whose browser complains of the refusals, which are meant
    const { tasks } = await ana.get<TaskPage>("/tasks?project=aviary&state=open&limit=1");
    const id = tasks[0]!.id;
    await again.page.goto(`/projects/aviary/tasks/${id}`);
    await again.page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
    const state = (kind: string) => again.page.locator(`[data-testid=save-state][data-state=${kind}]`).waitFor({ state: "attached" });
    await state("looking");
    await again.context.clearCookies();
    await stroke(again.page, [0.3, 0.3], [0.6, 0.6]);
    await state("signed-out");
    await again.page.mouse.move(middle.x, middle.y);
    await again.page.mouse.down();
    for (let moved = 0; moved < 15; moved++) {
      await again.page.mouse.move(middle.x + 6 * moved, middle.y);
      await again.page.waitForTimeout(150);
    }
    const dialog = again.page.getByTestId("dialog-signin");
    expect(await dialog.isVisible()).toBe(false);
    await again.page.mouse.up();
    await dialog.getByRole("button", { name: "Later" }).click();
    await stroke(again.page, [0.3, 0.6], [0.6, 0.3]);
    await again.page.waitForTimeout(1500);
    expect(await dialog.isVisible()).toBe(false);
    await again.page.getByRole("button", { name: "Sign in" }).click();
    const enter = async ({ Email, Password }: { Email: string; Password: string }) => {
      await dialog.getByLabel("E-mail").fill(Email);
      await dialog.getByLabel("Password").fill(Password);
      await dialog.getByRole("button", { name: "Sign in" }).click();
    };
    await enter(studio.account("reviewer"));
    await dialog.getByRole("alert").filter({ hasText: "somebody else's account, and they were signed out again" }).waitFor();
    expect((await again.context.request.get(`${studio.address}/api/v1/session`)).status()).toBe(401);
    await enter(studio.account("annotator"));
    await dialog.waitFor({ state: "hidden" });
    await state("saved");
    const taken = await ana.get<TaskDetail>(`/tasks/${id}`);
    expect([taken.state, taken.lease?.mine, taken.edit?.revision]).toEqual(["leased", true, 1]);
    await again.context.close();
  });

  it("decides nothing of the picture that comes up under a second quick press", async () => {
    const hasty = await Person.signIn(browser, studio, "annotator");
    const { page } = hasty;
    const submits: string[] = [];
    page.on("request", (request) => { if (/\/(submit|confirm)$/.test(new URL(request.url()).pathname)) submits.push(request.url()); });
    const address = () => new URL(page.url()).pathname;
    const twice = async (press: () => Promise<void>) => {
      await press();
      await page.waitForTimeout(100); // as a hand that hits a key twice
      await press();
    };
    const painted = async () => {
      await stroke(page, [0.3, 0.3], [0.7, 0.6]);
      await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
    };
    const submit = page.locator("#submit");
    const ready = () => page.locator("#editor[data-phase=working] #submit:not([aria-disabled])").waitFor();
    /** Hands on what was painted in the tests before, until a map comes that nobody has touched. */
    const untouched = async () => {
      while (await page.locator("[data-testid=save-state][data-state=untouched]").count() === 0) {
        await painted();
        const at = address();
        await submit.click();
        await page.waitForURL((url) => url.pathname !== at);
        await ready();
      }
    };
    const phone = { width: 390, height: 844 }, usual = page.viewportSize()!;
    await page.setViewportSize(phone);
    await page.goto("/projects/aviary/queue");
    await page.getByRole("button", { name: /Paint the next one/ }).click();
    await ready();
    const stage = await page.getByTestId("stage").boundingBox();
    await page.setViewportSize(usual);
    for (const [how, prepare, press] of [
      ["Ctrl+Enter", painted, () => twice(() => page.keyboard.press("Control+Enter"))],
      ["Y", untouched, () => twice(() => page.keyboard.press("y"))], // it is fine as it is
      ["a click", painted, async () => {
        const { x, y, width, height } = (await submit.boundingBox())!;
        await twice(() => page.mouse.click(x + width / 2, y + height / 2));
      }],
      ["a key that is held", painted, async () => {
        await page.keyboard.down("Control");
        for (let repeats = 0; repeats < 30; repeats++) {
          await page.keyboard.down("Enter");
          await page.waitForTimeout(30);
        }
        for (const key of ["Enter", "Control"]) await page.keyboard.up(key);
      }],
    ] as const) {
      await ready();
      await prepare();
      const decided = address();
      submits.length = 0;
      await press();
      await page.waitForURL((url) => url.pathname !== decided);
      const next = address();
      await ready(); // all that was pressed has been heard by now
      expect([how, submits.length, address(), await page.locator("dialog[open]").count()]).toEqual([how, 1, next, 0]);
      expect((await ana.get<TaskDetail>(`/tasks/${/\d+$/.exec(next)![0]}`)).state).toBe("leased");
    }
    await page.setViewportSize(phone); // what was submitted has its place in the strip from the first picture on
    await page.getByTestId("film").locator("[data-state=done]").first().waitFor();
    expect(await page.getByTestId("stage").boundingBox()).toEqual(stage);
    expect(hasty.complaints).toEqual([]);
    await hasty.context.close();
  });

  it("signs in again where it is, by a passkey, and by password and code where the account asks for one", async () => {
    const named = studio.address.replace("127.0.0.1", "localhost"); // passkeys are bound to names
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, baseURL: named });
    context.setDefaultTimeout(300_000);
    const page = await context.newPage();
    const authenticator = await context.newCDPSession(page);
    await authenticator.send("WebAuthn.enable");
    await authenticator.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
    const { Email, Password } = studio.account("reviewer");
    await page.goto("/signin?next=%2Faccount");
    await page.getByLabel("E-mail").fill(Email);
    await page.getByLabel("Password").fill(Password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    const keys = page.locator("#passkeys"), factor = page.locator("#factor");
    await keys.getByLabel("What you call it").fill("my laptop");
    await keys.getByLabel("Present password").fill(Password);
    await keys.getByRole("button", { name: "Add a passkey" }).click();
    await keys.locator("[data-passkey]").getByText("my laptop").waitFor();
    await factor.getByLabel("Present password").fill(Password);
    await factor.getByRole("button", { name: "Set it up" }).click();
    const secret = (await factor.locator("[data-secret]").textContent())!;
    await factor.getByRole("textbox", { name: "Code" }).fill(totp(secret, 0));
    await factor.getByRole("button", { name: "Turn on" }).click();
    await factor.locator("[data-recovery]").waitFor();

    await page.goto("/projects/aviary/queue");
    await page.getByRole("button", { name: /Paint the next one|Go on/ }).first().click();
    await page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
    const state = (kind: string) => page.locator(`[data-testid=save-state][data-state=${kind}]`).waitFor({ state: "attached" });
    const dialog = page.getByTestId("dialog-signin");
    await context.clearCookies();
    await stroke(page, [0.3, 0.3], [0.6, 0.6]);
    await state("signed-out");
    await dialog.getByRole("button", { name: "Sign in with a passkey" }).click();
    await dialog.waitFor({ state: "hidden" });
    await state("saved");

    await context.clearCookies();
    await stroke(page, [0.3, 0.6], [0.6, 0.3]);
    await state("signed-out");
    await dialog.getByLabel("Password").fill(Password);
    await page.keyboard.press("Enter");
    const code = dialog.getByLabel("Code");
    await code.fill("000000");
    expect(await dialog.getByLabel("Password").isVisible()).toBe(false);
    await page.keyboard.press("Enter");
    await dialog.getByRole("alert").filter({ hasText: "no code of this moment" }).waitFor();
    const usual = page.viewportSize()!;
    await page.setViewportSize({ width: 844, height: 390 }); // a phone on its side
    expect(await covered(dialog)).toEqual([]);
    expect(await truthShown(page)).toBe(true);
    await page.setViewportSize(usual);
    await code.fill(totp(secret, 1)); // that of now has turned it on
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "hidden" });
    await state("saved");
    await context.close();
  });
});

/** Whether the class that is to be marked can be read: what has no room in its line is cut. */
const truthShown = (page: Page) => page.locator(".aim:visible strong").evaluate((e) => e.getBoundingClientRect().right <= e.parentElement!.getBoundingClientRect().right);

/** What of a dialog something else lies over, or its edge cuts. */
const covered = (dialog: Locator) => dialog.evaluate((element) => [...element.querySelectorAll("input, button, a")].filter((e) => {
  const { left, right, top, bottom } = e.getBoundingClientRect();
  return e.checkVisibility() && [top + 2, bottom - 2].some((y) => !e.contains(document.elementFromPoint((left + right) / 2, y)));
}).map((e) => e.textContent));

/** What an authenticator app shows so many steps of 30 s from now (RFC 6238). */
function totp(secret: string, steps: number): string {
  const bits = Array.from(secret.replaceAll(" ", ""), (letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)))).update(counter).digest();
  return String((hash.readUInt32BE(hash.at(-1)! & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
