// How fast paint follows the hand at 1440p after a thousand strokes, beside a page that has nothing but one canvas of that size. Both are
// measured in turn in one browser, which draws frames as fast as it can, so that a frame's time is its cost and not the screen's beat.
// And how long the hand waits from the key that submits a map to a frame in which the next one can be painted, and from the key that judges
// one to a frame in which the next one is seen.
// STUDIO_SPEED=1 runs it; the figures are printed, and judge nothing.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import type { ProjectSummary } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, Studio, until } from "./studio";

const screen = { width: 2560, height: 1440 };
const strokes = Number(process.env.STUDIO_STROKES ?? 1000);
const rounds = 5;
const frames = 200; // of a stroke that is measured
const maps = 26; // that are submitted one after the other

/** A page with one canvas, which draws a soft disc of the brush's size where the pointer is. */
const bare = (radius: number) => `<!doctype html><style>*{margin:0}html,body{height:100%;overflow:hidden;background:#222}canvas{position:absolute;inset:0;width:100%;height:100%}</style>
<canvas id=stage></canvas><script>
const c = document.getElementById("stage"), g = c.getContext("2d", { alpha: false });
c.width = innerWidth * devicePixelRatio; c.height = innerHeight * devicePixelRatio;
let at = null, waiting = false;
c.addEventListener("pointermove", (e) => { at = e; if (!waiting) { waiting = true; requestAnimationFrame(draw); } });
function draw() {
  waiting = false;
  const r = ${radius}, s = g.createRadialGradient(at.clientX, at.clientY, 0, at.clientX, at.clientY, r);
  s.addColorStop(0, "rgba(255, 200, 0, 0.5)"); s.addColorStop(1, "rgba(255, 200, 0, 0)");
  g.fillStyle = s; g.fillRect(at.clientX - r, at.clientY - r, 2 * r, 2 * r);
}
</script>`;

/** Milliseconds between the frames of a stroke that moves in every frame. */
const measure = (page: Page, count: number): Promise<number[]> => page.evaluate(async (count) => {
  const stage = document.getElementById("stage")!;
  const box = stage.getBoundingClientRect();
  const send = (type: string, i: number) => {
    const t = i / 40;
    const [x, y] = [box.left + box.width / 2 + Math.cos(t) * box.height * 0.3, box.top + box.height / 2 + Math.sin(1.3 * t) * box.height * 0.3];
    stage.dispatchEvent(new PointerEvent(type, { pointerId: 1, pointerType: "mouse", clientX: x, clientY: y, button: type === "pointermove" ? -1 : 0, buttons: 1, bubbles: true, cancelable: true }));
  };
  const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
  send("pointerdown", 0);
  const times: number[] = [];
  let last = await frame();
  for (let i = 1; i <= count; i++) {
    send("pointermove", i);
    await frame(); // which draws it
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  send("pointerup", count);
  return times.slice(10);
}, count);

const share = (times: readonly number[], q: number): number => [...times].sort((a, b) => a - b)[Math.floor(q * (times.length - 1))]!;

describe.skipIf(chromiumPath() === undefined || !process.env.STUDIO_SPEED)("the speed of the hand", () => {
  let studio: Studio, browser: Browser, ana: Person;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser("--disable-frame-rate-limit", "--disable-gpu-vsync");
    closing.push(() => browser.close());
    ana = await Person.signIn(browser, studio, "annotator");
    await ana.page.setViewportSize(screen);
    await until("the demo project is ready", async () => ((await ana.get<ProjectSummary>("/projects/aviary").catch(() => undefined))?.open_tasks ?? 0) > 10, 180_000);
    await ana.page.goto("/projects/aviary/queue");
    await ana.page.getByRole("button", { name: /Paint the next one/ }).click();
    await ana.page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it("is near that of a page with one canvas", async () => {
    await ana.page.evaluate((count) => {
      const stage = document.getElementById("stage")!;
      const box = stage.getBoundingClientRect();
      for (let i = 0; i < count; i++) {
        const [x, y] = [box.left + box.width * (0.4 + 0.2 * ((i * 7) % 10) / 10), box.top + box.height * (0.3 + 0.4 * ((i * 3) % 10) / 10)];
        for (const [type, dx] of [["pointerdown", 0], ["pointermove", 20], ["pointerup", 20]] as const) {
          stage.dispatchEvent(new PointerEvent(type, { pointerId: 1, pointerType: "mouse", clientX: x + dx, clientY: y, button: type === "pointermove" ? -1 : 0, buttons: 1, bubbles: true, cancelable: true }));
        }
      }
    }, strokes);
    const brush = Number(/([0-9]+) px/.exec(await ana.page.getByTestId("set-size").getAttribute("aria-valuetext") ?? "")?.[1]); // pixels across
    const other = await ana.context.newPage();
    await other.setViewportSize(screen);
    await other.setContent(bare(brush / 2));
    const times = { editor: [] as number[], bare: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      await ana.page.bringToFront();
      times.editor.push(...await measure(ana.page, frames));
      await other.bringToFront();
      times.bare.push(...await measure(other, frames));
    }
    for (const q of [0.5, 0.95]) {
      const [ours, theirs] = [share(times.editor, q), share(times.bare, q)];
      console.log(`p${100 * q}: ${ours.toFixed(1)} ms a frame, a bare canvas ${theirs.toFixed(1)} ms, ratio ${(ours / theirs).toFixed(2)}`);
    }
    expect(times.editor.length).toBeGreaterThan(0);
    await other.close();
  });

  it("is not kept waiting between two maps", async () => {
    const page = ana.page;
    await page.setViewportSize({ width: 1280, height: 720 });
    const waits: number[] = [];
    for (let i = 0; i < maps; i++) {
      await page.locator("#editor[data-phase=working] [data-picture=shown]").waitFor();
      const box = (await page.locator("#stage").boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 8 });
      await page.mouse.up();
      await page.locator("[data-testid=save-state][data-state=saved]").waitFor({ state: "attached" });
      await page.locator("#submit:not([aria-disabled])").waitFor(); // once the picture has been seen, which a hand that paints takes longer for
      // Keys may overtake a script that is sent before them: it says when it listens.
      const wait = await page.evaluateHandle(() => {
        const ready = new Promise<number>((done) => {
          let pressed: number | undefined;
          addEventListener("keydown", function press(e: KeyboardEvent) {
            if (e.key !== "Enter") return;
            pressed = performance.now();
            removeEventListener("keydown", press, { capture: true });
          }, { capture: true });
          const editor = document.getElementById("editor")!;
          let left = false;
          const look = () => {
            const ready = editor.dataset["phase"] === "working" && editor.querySelector("[data-picture=shown]") !== null;
            left ||= !ready;
            if (!left || !ready || pressed === undefined) return requestAnimationFrame(look);
            return requestAnimationFrame(() => done(performance.now() - pressed!)); // it is drawn
          };
          look();
        });
        return { ready };
      });
      await page.keyboard.press("Control+Enter");
      waits.push(await wait.evaluate((w) => w.ready));
    }
    const [first, ...others] = waits;
    console.log(`from Submit to the next map: p50 ${share(others, 0.5).toFixed(0)} ms, p95 ${share(others, 0.95).toFixed(0)} ms of ${others.length}; the first ${first!.toFixed(0)} ms`);
    expect(waits.length).toBe(maps);
  });

  it("is not kept waiting between two verdicts", async () => {
    const rui = await Person.signIn(browser, studio, "reviewer");
    const { page } = rui;
    await page.goto("/projects/aviary/review");
    await page.keyboard.press("n");
    const waits: number[] = [];
    for (let i = 0; i < maps - 1; i++) { // of which the last is the next one
      await page.locator("[data-drawn] button[value=approve]:not([aria-disabled])").waitFor();
      const wait = await page.evaluateHandle(() => {
        const before = document.querySelector("[data-desk]");
        const ready = new Promise<number>((done) => {
          let pressed: number | undefined;
          addEventListener("keydown", () => (pressed = performance.now()), { capture: true, once: true });
          const look = () => {
            const desk = document.querySelector<HTMLElement>("[data-desk]");
            if (desk === before || !desk?.dataset["drawn"] || pressed === undefined) requestAnimationFrame(look);
            else done(performance.now() - pressed);
          };
          look();
        });
        return { ready };
      });
      await page.keyboard.press("a");
      waits.push(await wait.evaluate((w) => w.ready));
    }
    console.log(`from a verdict to the next map drawn: p50 ${share(waits, 0.5).toFixed(0)} ms, p95 ${share(waits, 0.95).toFixed(0)} ms, at most ${Math.max(...waits).toFixed(0)} ms of ${waits.length}`);
    expect(waits.length).toBe(maps - 1);
  });
});
