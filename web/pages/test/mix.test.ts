import { expect, test } from "vitest";
import { mixWords, sumMix } from "../mix.ts";

test("what is missing of 100 per cent, or too much, is said while shares are typed", () => {
  document.body.innerHTML = `<form data-mix><input type="number" name="confident" value="60"><input type="number" name="random" value=""><output data-mix-sum></output></form>`;
  sumMix();
  const output = document.querySelector("output");
  const random = document.querySelector<HTMLInputElement>("[name=random]");
  expect(output?.textContent).toBe("✗ 60 %, 40 missing");
  if (random) random.value = "40";
  random?.dispatchEvent(new Event("input", { bubbles: true }));
  expect([output?.textContent, output?.classList.contains("bad")]).toEqual(["✓ 100 %", false]);
  expect(mixWords(130)).toBe("✗ 130 %, 30 too many");
});
