// From an empty data folder to the first painted stroke: the link in the log, and what a person can do on pages. No command, no call of
// the API, no SQL.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, openBrowser, Studio, stroke } from "./studio";

const browserThere = chromiumPath() !== undefined;
const model = join(dirname(fileURLToPath(import.meta.url)), "testdata/torch");

/** A PNG in colour: a disc on a ground, both of shades that follow from n. */
function png(n: number): Buffer {
  const side = 40;
  const shade = (k: number) => (n * k + 7 * k) % 256;
  const rows = Buffer.alloc(side * (1 + 3 * side)); // each with its filter's number, 0
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const inside = (x - 12 - (n % 16)) ** 2 + (y - 20) ** 2 < 90;
      for (let c = 0; c < 3; c++) rows[y * (1 + 3 * side) + 1 + 3 * x + c] = shade((inside ? 31 : 11) + 5 * c);
    }
  }
  const part = (name: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), part("IHDR", header), part("IDAT", deflateSync(rows)), part("IEND", Buffer.alloc(0))]);
}

describe.skipIf(!browserThere)("a studio that nobody has used", () => {
  let studio: Studio, browser: Browser, page: Page, pictures = "";
  const complaints: string[] = [];
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    studio = await Studio.empty();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    const at = mkdtempSync(join(tmpdir(), "abn-studio-pictures-"));
    closing.push(() => rm(at, { recursive: true, force: true }));
    pictures = join(at, "seabirds");
    const classes = ["auk", "owl", "tern"];
    for (let n = 0; n < 500; n++) {
      const folder = join(pictures, n % 5 === 4 ? "test" : "train", classes[n % 3]!);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `bird-${String(n).padStart(3, "0")}.png`), n === 123 ? png(n).subarray(0, 20) : png(n)); // cut off within its header
    }
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, baseURL: studio.address });
    context.setDefaultTimeout(300_000); // others have slower machines, and busier ones
    page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it("lets the first admin in by the link in its log, once", async () => {
    await page.goto(studio.link);
    await page.getByLabel("Name").fill("Ada");
    await page.getByLabel("E-mail").fill("ada@example.org");
    await page.getByLabel("Password").fill("plum-kettle-91");
    await page.getByRole("button", { name: "Make the first admin" }).click();
    await page.getByRole("heading", { name: "No project yet" }).waitFor();
    const other = await (await browser.newContext()).newPage();
    await other.goto(studio.link);
    await other.getByRole("alert").filter({ hasText: "has its people already" }).waitFor();
    await other.context().close();
  });

  it("makes a project, whose page says what comes next", async () => {
    await page.getByText("New project", { exact: true }).click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Seabirds of Skåne");
    await page.getByRole("button", { name: "Make project" }).click();
    await page.waitForURL(/\/projects\/seabirds-of-skane\/queue$/);
    await page.getByRole("link", { name: "Add a model" }).waitFor();
    await page.getByRole("link", { name: "Add images" }).click();
  });

  it("takes 500 images, over a lost network and a reload, and tells what they are", async () => {
    const folder = page.locator("input[name=folder]");
    // The network takes half of the first chunk's request and then nothing.
    await page.route("**/bytes?*", (route) => route.abort("connectionfailed"));
    await folder.setInputFiles(pictures);
    await page.locator("[data-send] [role=status]", { hasText: "trying again" }).waitFor();
    await page.reload();
    await page.locator(".staged", { hasText: "seabirds" }).filter({ hasText: "500 files" }).waitFor(); // it was begun
    await page.unroute("**/bytes?*");
    await folder.setInputFiles(pictures);
    await page.waitForURL(/\/imports\/[A-Z2-7]+$/);
    await page.getByRole("button", { name: "Import 500 images" }).waitFor(); // the page follows by itself
    const rows = (await page.locator("table.counts tr").allInnerTexts()).map((row) => row.trim().split(/\s+/).join(" "));
    expect(rows).toEqual(["Class train validation test pool all", "auk 134 33 167", "owl 133 34 167", "tern 133 33 166", "All 3 400 100 500"]);
    await page.locator(".problems", { hasText: "Cannot be read: 1" }).filter({ hasText: "train/auk/bird-123.png" }).waitFor();
    const shown = page.locator(".examples img");
    expect(await shown.count()).toBe(12);
    expect(await shown.first().evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth))).toBe(40);
    expect(complaints.splice(0).filter((c) => !c.includes("ERR_CONNECTION_FAILED"))).toEqual([]); // the browser says that requests failed
  });

  it("imports them", async () => {
    await page.getByRole("button", { name: "Import 500 images" }).click();
    await page.locator(".notice", { hasText: "500 added" }).waitFor();
    await page.getByRole("link", { name: "Add a model" }).click();
  });

  it("takes a model, which scans them", async () => {
    await page.locator("input[name=model]").setInputFiles(join(model, "abn.onnx"));
    await page.locator("input[name=data]").setInputFiles(join(model, "abn.onnx.data"));
    await page.locator("input[name=manifest]").setInputFiles([join(model, "preprocessor_config.json"), join(model, "config.json")]);
    await page.getByRole("button", { name: "Send and inspect" }).click();
    await page.getByRole("button", { name: "Add as a version" }).click();
    await page.locator(".notice", { hasText: "It is v1 (active)" }).waitFor();
  });

  it("keeps the first stroke over a reload", async () => {
    const next = page.getByRole("button", { name: /Paint the next one/ }).or(page.getByRole("link", { name: /Paint the next one/ }));
    await expect.poll(async () => {
      await page.goto("/projects/seabirds-of-skane/queue");
      return next.count();
    }, { timeout: 300_000, interval: 1000 }).toBeGreaterThan(0);
    await next.first().click();
    await page.getByTestId("stage").waitFor();
    await stroke(page, [0.2, 0.2], [0.8, 0.8]);
    await page.locator("#save-state[data-state=saved]").waitFor();
    await page.reload();
    await page.getByTestId("stage").waitFor();
    await expect.poll(() => page.getByTestId("strokes").locator("li").count()).toBe(2); // the model's map and the stroke
    expect(complaints).toEqual([]);
  });

  it("shows duplicates across splits, and leaves one out of measures and takes it in again", async () => {
    await page.goto("/projects/seabirds-of-skane/leakage");
    const fact = (name: string) => page.locator(".facts div", { hasText: name }).locator("dd").innerText();
    const same = Number(await fact("Same file")), measured = Number(await fact("Still measured on"));
    expect(same).toBe(96); // of 100 test images: pictures n and n+256 are the same, 244 to 255 have no other, and one cannot be read
    expect(await fact("Left out")).toBe("0");
    const first = page.locator(".leak").first();
    expect(await first.locator("img").evaluateAll((all) => Promise.all(all.map((img) => (img as HTMLImageElement).decode().then(() => (img as HTMLImageElement).naturalWidth))))).toHaveLength(2);
    await first.getByText("same file").waitFor();
    await first.getByRole("button", { name: /^Leave out bird-.* of measures$/ }).click();
    await page.locator(".leak .chip-left-out").waitFor();
    expect([Number(await fact("Left out")), Number(await fact("Still measured on"))]).toEqual([1, measured - 1]);
    await page.getByRole("button", { name: "Measure on all 1 again" }).waitFor();
    await page.getByRole("button", { name: /^Measure on bird-.* again$/ }).click();
    await expect.poll(() => page.locator(".leak .chip-left-out").count()).toBe(0);
    expect([Number(await fact("Left out")), Number(await fact("Still measured on"))]).toEqual([0, measured]);
    expect(complaints).toEqual([]);
  });
});
