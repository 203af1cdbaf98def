// Every text of the pages' scripts stands in the catalogue, and the scripts' part of it is as it is now. That every text of the
// catalogue is said is checked with the pages' by words_test.go of the module's root.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleOf, type Catalogue } from "../catalogue.ts";
import { readScript, scriptsOf, type Found } from "../source.ts";

const root = join(import.meta.dirname, "../../..");
const found = scriptsOf(root);

/** The scripts that hold English text beside the catalogue, with how many. It only ever shrinks (ADR 43). */
const notYet: Readonly<Record<string, number>> = {
  "web/editor/src/api/problem.ts": 1,
  "web/editor/src/comparison.ts": 8,
  "web/editor/src/desk.ts": 47,
  "web/editor/src/editor.ts": 5,
  "web/editor/src/format.ts": 4,
  "web/editor/src/hint.ts": 5,
  "web/editor/src/input/keymap.ts": 3,
  "web/editor/src/input/keys.ts": 40,
  "web/editor/src/painting.ts": 3,
  "web/editor/src/regions.ts": 3,
  "web/editor/src/render/pencil.ts": 1,
  "web/editor/src/starts.ts": 3,
  "web/editor/src/ui/answer.ts": 6,
  "web/editor/src/ui/app.ts": 5,
  "web/editor/src/ui/comparison.ts": 17,
  "web/editor/src/ui/dialogs.ts": 28,
  "web/editor/src/ui/filmstrip.ts": 3,
  "web/editor/src/ui/hint.ts": 11,
  "web/editor/src/ui/keys_dialog.ts": 7,
  "web/editor/src/ui/label_dialog.ts": 12,
  "web/editor/src/ui/merge_dialog.ts": 9,
  "web/editor/src/ui/minimap.ts": 2,
  "web/editor/src/ui/notices.ts": 12,
  "web/editor/src/ui/panels.ts": 68,
  "web/editor/src/ui/rail.ts": 13,
  "web/editor/src/ui/stage.ts": 2,
  "web/editor/src/ui/status.ts": 13,
  "web/editor/src/ui/swipe.ts": 1,
  "web/editor/src/ui/topbar.ts": 38,
  "web/editor/src/ui/whole_menu.ts": 14,
  "web/editor/src/whole.ts": 22,
  "web/pages/bring.ts": 5,
  "web/pages/clock.ts": 4,
  "web/pages/desk.ts": 2,
  "web/pages/methods.ts": 7,
  "web/pages/mix.ts": 1,
  "web/pages/queue.ts": 3,
  "web/pages/review.ts": 4,
  "web/pages/round.ts": 1,
  "web/pages/segmenter.ts": 3,
  "web/pages/send.ts": 12,
  "web/pages/transfer.ts": 1,
  "web/pages/upload.ts": 8,
};

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
  const left = Object.fromEntries([...found.beside].map(([path, texts]) => [path, texts.length]));
  const said = Object.fromEntries([...found.beside].filter(([path]) => !notYet[path]));
  expect(said).toEqual({});
  expect(left).toEqual(notYet);
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
