// How the TypeScript of the pages is linted: by all that eslint recommends and by typescript-eslint's strict rules, those
// that need types included. What is loosened has its reason beside it.
import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: ["web/static/", "web/editor/src/api/schema.d.ts"] },
  {
    files: ["web/**/*.ts"],
    extends: [js.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: ["web/tsconfig.json", "web/editor/tsconfig.json", "web/pages/tsconfig.json"], tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      // A number reads the same in a template as by String(); what has no one way to be written stays forbidden.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // `() => draw()` and, to leave a function that gives nothing back, `return draw()` mislead nobody.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
    },
  },
  {
    files: ["web/*/test/**", "web/e2e/**"],
    rules: {
      // What a test reaches for is there, or the test fails on that line.
      "@typescript-eslint/no-non-null-assertion": "off",
      // find<HTMLInputElement>("input") says what the page of a test holds.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
    },
  },
);
