import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ago, duration, keepTime } from "../clock.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("clock", () => {
  it("says how long ago something was, until a date says it better", () => {
    expect([0, 44, 46, 89 * 60, 91 * 60, 35 * 3600, 37 * 3600, 13 * 86400, 15 * 86400].map(ago))
      .toEqual(["just now", "just now", "1 min ago", "89 min ago", "2 h ago", "35 h ago", "2 days ago", "13 days ago", null]);
  });

  it("says a duration as people do", () => {
    expect([0.04, 9.94, 10.4, 89, 91, 3599, 3600, 8000].map(duration))
      .toEqual(["0.0 s", "9.9 s", "10 s", "89 s", "2 min", "60 min", "1 h 0 min", "2 h 13 min"]);
  });

  it("keeps times true while a page stays open, and leaves dates and what is to come alone", () => {
    const time = (seconds: number, text: string) =>
      `<time datetime="${new Date(Date.now() - 1000 * seconds).toISOString()}">${text}</time>`;
    document.body.innerHTML = time(30, "just now") + time(30 * 86400, "3 May") + time(-60, "in 1 min");
    keepTime();
    vi.advanceTimersByTime(120_000);
    expect([...document.querySelectorAll("time")].map((t) => t.textContent)).toEqual(["3 min ago", "3 May", "in 1 min"]);
  });
});
