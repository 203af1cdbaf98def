// The form of a project's mix says what its shares make together while they are typed.
import { t } from "../editor/src/words.ts";

export function sumMix(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-mix]");
  const output = form?.querySelector<HTMLOutputElement>("[data-mix-sum]");
  if (!form || !output) return;
  const show = () => {
    const sum = [...form.querySelectorAll<HTMLInputElement>("input[type=number]")].reduce((all, input) => all + (Number(input.value) || 0), 0);
    output.textContent = mixWords(sum);
    output.classList.toggle("bad", sum !== 100);
  };
  form.addEventListener("input", show);
  show();
}

/** What shares make together, and what is missing of 100 per cent. */
export function mixWords(sum: number): string {
  if (sum === 100) return "✓ 100 %";
  return sum < 100 ? t("✗ {sum} %, {n} missing", { sum, n: 100 - sum }) : t("✗ {sum} %, {n} too many", { sum, n: sum - 100 });
}
