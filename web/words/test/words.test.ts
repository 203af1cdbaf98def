// Every text of the pages' scripts stands in the catalogue, and the scripts' part of it is as it is now. That every text of the
// catalogue is said is checked with the pages' by words_test.go of the module's root.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleOf, type Catalogue } from "../catalogue.ts";
import { readScript, scriptsOf, type Found } from "../source.ts";

const root = join(import.meta.dirname, "../../..");
const found = scriptsOf(root);

for (const language of ["ja"]) {
  const catalogue = JSON.parse(readFileSync(join(root, `internal/words/${language}.json`), "utf8")) as Catalogue;

  test(`every key of the scripts is in ${language}`, () => {
    expect([...found.keys.keys()].filter((key) => !catalogue.texts[key])).toEqual([]);
  });

  test(`the scripts' part of ${language} is as make generate writes it`, () => {
    expect(readFileSync(join(root, `web/static/words.${language}.js`), "utf8")).toBe(bundleOf(catalogue, found.keys.keys()));
  });
}

test("every key is written down where it is said", () => {
  expect(Object.fromEntries(found.open)).toEqual({});
});

test("no script says text beside the catalogue", () => {
  expect(Object.fromEntries(found.beside)).toEqual({});
});

test("keys and texts are told apart", () => {
  const read: Found = { keys: new Map(), beside: new Map(), open: new Map() };
  readScript("a.ts", `
    h("button.primary", { title: t("Do it now"), "data-testid": "do it" }, ready ? t("Go {n}", { n }) : "Not yet");
    say(out, \`\${n} images left\`);
    element.textContent = "Saved";
    desk.emit("notice", tn(n, "{n} image", "{n} images"));
    emit("phase", x);
    t(unknown);
    const key = "a.b c";
    look(key === "Some thing");
  `, read);
  expect([...read.keys.keys()]).toEqual(["Do it now", "Go {n}", "{n} images"]);
  expect(read.beside.get("a.ts")).toEqual(["Not yet", "{} images left", "Saved", "a.b c"]);
  expect(read.open.get("a.ts")).toEqual(["t(unknown)"]);
});
