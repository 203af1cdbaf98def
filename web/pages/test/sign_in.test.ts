import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Entered } from "../../editor/src/api/client.ts";
import { Problem, Unreachable } from "../../editor/src/api/problem.ts";
import { SignInDialog } from "../../editor/src/ui/sign_in.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A dialog of a page on which a stroke may be under way. */
function made(signIn: (email: string, password: string, code: string) => Promise<Entered> = () => Promise.resolve("self")) {
  const hand = { busy: false };
  const dialog = new SignInDialog({ email: "ana@example.org", words: "It has ended.", busy: () => hand.busy, client: { signIn, signInByPasskey: () => signIn("", "", "") } });
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
    const type = typing(element, pass);
    await type("password", "x");
    expect([element.open, told(element), shown(element)]).toEqual([true, "The password is another one", { password: "" }]);
  });

  it("asks for a code where the account has one, after the password, until the code is right", async () => {
    const sent: string[][] = [];
    const { dialog, element, pass } = made((...typed) => {
      sent.push(typed);
      const code = typed[2];
      if (typed[1] !== "right") return Promise.reject(new Problem(401, "Not signed in", "wrong e-mail address or password", undefined));
      if (code === "") return Promise.reject(new Problem(401, "Not signed in", "a code is needed", undefined, ["body.code"]));
      if (code === "offline") return Promise.reject(new Unreachable("POST /session"));
      return code === "123456" ? Promise.resolve("self") : Promise.reject(new Problem(422, "Not valid", "that is no code of this moment", undefined, ["body.code"]));
    });
    dialog.open();
    const type = typing(element, pass);
    await type("password", "wrong");
    expect([told(element), shown(element)]).toEqual(["Wrong e-mail address or password", { password: "" }]);
    await type("password", "right");
    expect([told(element), shown(element), document.activeElement?.getAttribute("aria-label")]).toEqual(["", { code: "" }, "Code"]);
    await type("code", "111111");
    expect([told(element), shown(element)]).toEqual(["That is no code of this moment", { code: "" }]);
    await type("code", "offline");
    expect([told(element).includes("can't be reached"), shown(element)]).toEqual([true, { code: "offline" }]);
    await type("code", "123456");
    expect([element.open, sent.at(-1)]).toEqual([false, ["ana@example.org", "right", "123456"]]);
    dialog.open(); // another time it begins anew
    expect([told(element), shown(element)]).toEqual(["", { password: "" }]);
  });

  it("sends one try at a time, and says of a stranger whether they are signed out", async () => {
    const answers: Entered[] = ["other-stays", "other"];
    let tries = 0;
    const { dialog, element, pass } = made(async () => {
      tries++;
      await new Promise((passed) => setTimeout(passed, 100));
      return answers.pop()!;
    });
    dialog.open();
    const type = typing(element, pass);
    await type("password", "x");
    await type("password", "x");
    await pass(200);
    expect([tries, told(element).startsWith("That is somebody else's account, and they were signed out again")]).toEqual([1, true]);
    const email = element.querySelector<HTMLInputElement>("input[type=email]")!;
    email.value = "ben@example.org";
    await type("password", "x");
    await pass(200);
    expect(email.value).toBe("ana@example.org");
    expect([element.open, told(element).includes("Nothing is sent in their name"), shown(element)]).toEqual([true, true, { password: "" }]);
  });
});

const told = (element: HTMLElement) => {
  const alert = element.querySelector<HTMLElement>("[role=alert]")!;
  return alert.hidden ? "" : alert.textContent;
};

/** What is asked for besides the address, and what stands there. */
const shown = (element: HTMLElement) =>
  Object.fromEntries([...element.querySelectorAll<HTMLInputElement>("input:not([type=email], [hidden])")].map((input) => [input.ariaLabel?.toLowerCase() ?? input.getAttribute("aria-label")!.toLowerCase(), input.value]));

/** Types something and sends it. */
const typing = (element: HTMLElement, pass: (ms: number) => Promise<unknown>) => async (where: "password" | "code", what: string) => {
  element.querySelector<HTMLInputElement>(where === "code" ? "input[autocomplete=one-time-code]" : "input[type=password]")!.value = what;
  element.querySelector("form")!.requestSubmit();
  await pass(0);
};
