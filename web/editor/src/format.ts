// Numbers and times as the interface writes them.

import type { Mechanism } from "./api/schema.d.ts";
import { t } from "./words.ts";

/** A map value: two digits, three where the third says something near zero. */
export const value = (v: number): string => (v > 0 && v < 0.01 ? v.toFixed(3) : v.toFixed(2));

/** A probability as the answer panel shows it: ".61", "1.00"; the digits are the same for a whole table. */
export const probability = (p: number, digits = 2): string => p.toFixed(digits).replace(/^0(?=\.)/, "");

/** Digits that still show a change where the likeliest answer is this probable: a sure network needs more. */
export const digitsFor = (highest: number): number => (highest > 0.999 ? 4 : highest > 0.99 ? 3 : 2);

/** What the attention mechanism does to a feature under a value: "1.72×"; "" where that is not known. */
export const gain = (v: number, { at_zero: zero, at_one: one }: Pick<Mechanism, "at_zero" | "at_one">): string =>
  zero === undefined || one === undefined ? "" : `${(zero + v * (one - zero)).toFixed(2)}×`;

/** A number of any size, to three digits. */
export const number = (v: number): string => (v === 0 ? "0" : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? String(Number(v.toPrecision(3))) : v.toExponential(1)).replace("-", "−");

export const percent = (v: number): string => `${Math.round(v * 100)} %`;

/** "just now", "8 s ago", "3 min ago". */
export function ago(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 2) return t("just now");
  if (seconds < 60) return t("{n} s ago", { n: seconds });
  if (seconds < 3600) return t("{n} min ago", { n: Math.round(seconds / 60) });
  return t("{n} h ago", { n: Math.round(seconds / 3600) });
}

/** The last part of a slash-separated path. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
