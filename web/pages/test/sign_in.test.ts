import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SignInDialog } from "../../editor/src/ui/sign_in.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A dialog of a page on which a stroke may be under way. */
function made(signIn = () => Promise.resolve()) {
  const hand = { busy: false };
  const dialog = new SignInDialog({ email: "ana@example.org", words: "It has ended.", busy: () => hand.busy, signIn });
  document.body.replaceChildren(dialog.element);
  return { hand, dialog, element: dialog.element, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

describe("signing in again", () => {
  it("is asked for once the hand rests, never within a stroke or between two", async () => {
    const { hand, dialog, element, pass } = made();
    hand.busy = true;
    dialog.ask();
    await pass(5000);
    expect(element.open).toBe(false);
    hand.busy = false;
    dialog.wait(); // the stroke has ended
    await pass(600);
    dialog.wait(); // and another
    await pass(600);
    expect(element.open).toBe(false);
    await pass(600);
    expect(element.open).toBe(true);
  });

  it("is not asked for again by itself after Later, and not at all where there is a session again", async () => {
    const { dialog, element, pass } = made();
    dialog.ask();
    await pass(1500);
    [...element.querySelectorAll("button")].find((b) => b.textContent === "Later")!.click();
    dialog.wait();
    await pass(5000);
    expect(element.open).toBe(false);
    dialog.ask();
    dialog.close();
    await pass(5000);
    expect(element.open).toBe(false);
  });

  it("says why it was refused", async () => {
    const { dialog, element, pass } = made(() => Promise.reject(new Error("the password is another one")));
    dialog.open();
    element.querySelector<HTMLInputElement>("input[type=password]")!.value = "x";
    element.querySelector("form")!.requestSubmit();
    await pass(0);
    expect([element.open, element.querySelector("[role=alert]")!.textContent, element.querySelector<HTMLInputElement>("input[type=password]")!.value]).toEqual([true, "the password is another one", ""]);
  });
});
