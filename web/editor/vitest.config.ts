// The editor's tests run without a DOM: they drive the headless editor of test/editor.ts.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/**/*.test.ts"], environment: "node", testTimeout: 5000 },
});
