// A model as torch.onnx.export writes it today comes in by a drop, with what Hugging Face keeps beside it, and becomes version 1: no shell.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { chromiumPath, openBrowser, Person, Studio } from "./studio";

const browserThere = chromiumPath() !== undefined;
const folder = join(dirname(fileURLToPath(import.meta.url)), "testdata/torch");

/** The tensors of a .safetensors file. */
function tensors(file: Buffer): Map<string, Buffer> {
  const header = Number(file.readBigUInt64LE(0));
  const entries = JSON.parse(file.toString("utf8", 8, 8 + header)) as Record<string, { data_offsets?: [number, number] }>;
  const found = new Map<string, Buffer>();
  for (const [name, { data_offsets: at }] of Object.entries(entries)) if (at) found.set(name, file.subarray(8 + header + at[0], 8 + header + at[1]));
  return found;
}

describe.skipIf(!browserThere)("a model from PyTorch", () => {
  let studio: Studio, browser: Browser, ada: Person;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    studio = await Studio.start();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
    ada = await Person.signIn(browser, studio, "admin");
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it("is dropped in three files and becomes version 1", async () => {
    const made = await ada.page.evaluate(async (body) => (await fetch("/api/v1/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body })).status,
      JSON.stringify({ slug: "from-torch", name: "From PyTorch" }));
    expect(made).toBe(201);
    await ada.page.goto("/projects/from-torch/versions/new");
    const files = ["abn.onnx", "abn.onnx.data", "preprocessor_config.json", "config.json", "make.py"].map((name) => ({ name, text: readFileSync(join(folder, name)).toString("base64") }));
    const dropped = await ada.page.evaluateHandle((list) => {
      const transfer = new DataTransfer();
      for (const { name, text } of list) transfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
      return transfer;
    }, files);
    await ada.page.dispatchEvent("[data-upload-drop]", "drop", { dataTransfer: dropped });
    await ada.page.waitForURL(/\/uploads\/\d+$/);
    const text = await ada.page.locator("article.upload").innerText();
    expect(text).toContain("abn.onnx.data");
    expect(text).toContain("32×32 px, both sides");
    expect(text).toContain("3 classes");
    await ada.page.getByRole("button", { name: "Add as a version" }).click();
    await ada.page.locator(".notice", { hasText: "It is v1 (active)" }).waitFor();
    expect(ada.complaints).toEqual([]);
  });

  it("is downloaded in every form, and taken again with nothing typed", async () => {
    const at = mkdtempSync(join(tmpdir(), "abn-studio-downloads-"));
    closing.push(() => rm(at, { recursive: true, force: true }));
    const { page } = ada;
    const download = async (click: () => Promise<void>): Promise<string> => {
      const coming = page.waitForEvent("download");
      await click();
      const file = await coming;
      const path = join(at, file.suggestedFilename());
      await file.saveAs(path);
      return path;
    };
    await page.goto("/projects/from-torch/versions");
    const whole = await download(() => page.getByRole("link", { name: "Download ONNX" }).click());
    await page.getByText("Other forms").click();
    const manifest = await download(() => page.getByRole("link", { name: "from-torch-v1.json" }).click());
    expect((JSON.parse(readFileSync(manifest, "utf8")) as { classes: string[] }).classes).toHaveLength(3);
    const takenWith = async (files: { model: string; data?: string }, facts: string[]) => {
      await page.goto("/projects/from-torch/versions/new");
      await page.locator("input[name=model]").setInputFiles(files.model);
      if (files.data) await page.locator("input[name=data]").setInputFiles(files.data);
      await page.getByRole("button", { name: "Send and inspect" }).click();
      await page.waitForURL(/\/uploads\/\d+$/);
      const text = await page.locator("article.upload").innerText();
      for (const fact of ["32×32 px, both sides", "3 classes", ...facts]) expect(text).toContain(fact);
      expect(await page.locator("textarea[name=classes]").count()).toBe(0); // nothing is asked
    };
    await takenWith({ model: whole }, []);
    await page.getByRole("button", { name: "Add as a version" }).click();
    await page.locator(".notice", { hasText: "It is v2" }).waitFor();

    await page.goto("/projects/from-torch/versions");
    const v1 = page.locator("#v1");
    await v1.getByText("Other forms").click();
    rmSync(whole); // the two are one set of names
    const model = await download(() => v1.getByRole("link", { name: "from-torch-v1.onnx", exact: true }).click());
    const data = await download(() => v1.getByRole("link", { name: "from-torch-v1.onnx.data" }).click());
    expect(readFileSync(model).length).toBeLessThan(readFileSync(data).length);
    await takenWith({ model, data }, ["from-torch-v1.onnx.data"]);

    // Its BatchNorm was folded: there is no state_dict without the module's own, and the page says so.
    await page.goto("/projects/from-torch/versions");
    await v1.getByText("Other forms").click();
    await v1.getByRole("button", { name: "Download the state_dict" }).click();
    await v1.locator(".notice-bad", { hasText: "needs the state_dict that it was exported from" }).waitFor();
    expect(ada.complaints.splice(0).filter((c) => !c.includes("422"))).toEqual([]); // the browser says of the refusal that it was one
    expect(ada.complaints).toEqual([]);
  });

  it("gives the weights back to PyTorch, with the state_dict it was exported from", async () => {
    const { page } = ada;
    const at = mkdtempSync(join(tmpdir(), "abn-studio-downloads-"));
    closing.push(() => rm(at, { recursive: true, force: true }));
    const home = join(folder, "../../../../onnx/statedict/testdata");
    await page.evaluate(async (body) => fetch("/api/v1/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body }),
      JSON.stringify({ slug: "home", name: "Home" }));
    await page.goto("/projects/home/versions/new");
    await page.locator("input[name=model]").setInputFiles({ name: "plain.onnx", mimeType: "application/octet-stream", buffer: gunzipSync(readFileSync(join(home, "plain-dynamo.onnx.gz"))) });
    await page.locator("input[name=manifest]").setInputFiles({ name: "plain.json", mimeType: "application/json",
      buffer: Buffer.from(JSON.stringify({ crop: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25], classes: ["auk", "owl", "tern"] })) });
    await page.getByRole("button", { name: "Send and inspect" }).click();
    await page.getByRole("button", { name: "Add as a version" }).click();
    await page.locator(".notice", { hasText: "It is v1 (active)" }).waitFor();
    await page.goto("/projects/home/versions");
    await page.getByText("Other forms").click();
    await page.locator("input[name=reference]").setInputFiles(join(home, "plain.safetensors"));
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download the state_dict" }).click();
    const file = await coming;
    expect(file.suggestedFilename()).toBe("home-v1.safetensors");
    const path = join(at, "home-v1.safetensors");
    await file.saveAs(path);
    const got = tensors(readFileSync(path)), want = tensors(readFileSync(join(home, "plain.safetensors")));
    expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
    for (const [name, bytes] of want) expect(got.get(name)?.equals(bytes), name).toBe(true);
    expect(ada.complaints).toEqual([]);
  });

  it("asks for the map's name where the graph does not tell it", async () => {
    const { page } = ada;
    await page.goto("/projects/from-torch/versions/new");
    const names = page.locator("details[data-upload-names]");
    expect(await names.getAttribute("open")).toBeNull();
    await page.locator("input[name=model]").setInputFiles(join(folder, "../../../../onnx/testdata/exports/two-maps.onnx"));
    await page.getByRole("button", { name: "Send and inspect" }).click();
    await page.locator("[data-upload-problem] .notice", { hasText: "name one: --map VALUE" }).waitFor();
    expect(await names.getAttribute("open")).not.toBeNull();
    await names.getByRole("textbox", { name: "map", exact: false }).first().fill("sigmoid");
    await page.getByRole("button", { name: "Send and inspect" }).click();
    await page.waitForURL(/\/uploads\/\d+$/);
    expect(await page.locator(".parts").innerText()).toContain("sigmoid");
    expect(ada.complaints.filter((c) => !c.includes("422"))).toEqual([]); // the browser says of the refusal that it was one
  });
});
