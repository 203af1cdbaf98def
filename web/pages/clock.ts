// Keeps "5 min ago" true while a page stays open; the server wrote the first one.
import { t } from "../editor/src/words.ts";

export function ago(seconds: number): string | null {
  if (seconds < 45) return t("just now");
  if (seconds < 90 * 60) return t("{n} min ago", { n: Math.max(1, Math.round(seconds / 60)) });
  if (seconds < 36 * 3600) return t("{n} h ago", { n: Math.round(seconds / 3600) });
  if (seconds < 14 * 86400) return t("{n} days ago", { n: Math.round(seconds / 86400) });
  return null; // a date, which does not age
}

export function keepTime(): void {
  const since = (element: HTMLTimeElement) => (Date.now() - Date.parse(element.dateTime)) / 1000;
  const toCome = new Set([...document.querySelectorAll("time")].filter((element) => since(element) < 0));
  setInterval(() => {
    for (const element of document.querySelectorAll("time")) {
      const text = ago(since(element));
      if (text && !toCome.has(element)) element.textContent = text;
    }
  }, 30_000);
}

/** A duration as people say it: 45 s, 3 min, 1 h 20 min. */
export function duration(seconds: number): string {
  if (seconds < 10) return t("{n} s", { n: seconds.toFixed(1) });
  if (seconds < 90) return t("{n} s", { n: Math.round(seconds) });
  if (seconds < 3600) return t("{n} min", { n: Math.round(seconds / 60) });
  return t("{hours} h {minutes} min", { hours: Math.floor(seconds / 3600), minutes: Math.floor((seconds % 3600) / 60) });
}
