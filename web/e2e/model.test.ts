// A model as torch.onnx.export writes it today comes in by a drop, with what Hugging Face keeps beside it, and becomes version 1: no shell.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { chromiumPath, openBrowser, Person, Studio } from "./studio";

const browserThere = chromiumPath() !== undefined;
const folder = join(dirname(fileURLToPath(import.meta.url)), "testdata/torch");

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
});
