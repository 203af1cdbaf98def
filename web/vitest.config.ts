// The tests that need no program: the editor's drive the headless editor of editor/test/editor.ts without a DOM, those
// of the pages' scripts have happy-dom's. The browser tests have a configuration of their own, in e2e/.
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const of = (name: string, environment: string) => ({
  test: { name, root: join(import.meta.dirname, name), include: ["test/**/*.test.ts"], environment, testTimeout: 30_000 }, // ends what hangs; nothing is measured by it
});

export default defineConfig({ test: { projects: [of("editor", "node"), of("pages", "happy-dom"), of("words", "node")] } });
