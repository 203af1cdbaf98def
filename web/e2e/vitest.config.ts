// The browser tests drive the real program in a real Chromium, one file after the other.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.test.ts"], globalSetup: "prepare.ts", environment: "node", fileParallelism: false,
    testTimeout: 900_000, hookTimeout: 900_000, bail: 1,
  },
});
