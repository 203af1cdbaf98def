import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, it } from "vitest";

const src = join(import.meta.dirname, "../src");

/** Which files of src/ a file imports, types included. */
function imports(file: string): string[] {
  const found = readFileSync(join(src, file), "utf8").matchAll(/(?:from|import) "(\.[^"]+)"/g);
  return [...found].map(([, path = ""]) => relative(src, join(src, dirname(file), path)));
}

it("the editor's files import each other in one direction", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".ts"));
  const left = new Map(files.map((f) => [f, imports(f)]));
  // Takes away what imports nothing that is left, until nothing is: what remains are circles, and what
  // imports them.
  for (let before = -1; before !== left.size;) {
    before = left.size;
    for (const [file, wanted] of left) if (!wanted.some((w) => left.has(w))) left.delete(file);
  }
  expect([...left.keys()]).toEqual([]);
});
