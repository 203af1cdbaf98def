import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { contactSheet } from "../queue.ts";

const card = (id: number) => `<li class="task-card"><a href="/tasks/${id}">${id}</a><input type="checkbox" name="task" value="${id}"></li>`;
const links = () => [...document.querySelectorAll<HTMLAnchorElement>(".task-card > a")];
const boxes = () => [...document.querySelectorAll<HTMLInputElement>("input[name=task]")];
const press = (key: string) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const hidden = (of: string) => document.querySelector<HTMLElement>(of)?.hidden;

/** An observer that a test tells what comes into view. */
const watched = new Set<Element>();
let seen: (element: Element) => void;
class Observer {
  constructor(tell: IntersectionObserverCallback) {
    seen = (target) => { tell([{ isIntersecting: true, target } as IntersectionObserverEntry], this as never); };
  }
  observe(element: Element): void { watched.add(element); }
  unobserve(element: Element): void { watched.delete(element); }
}

beforeAll(() => {
  // Rows of two cards, as a narrow window has them.
  Element.prototype.getBoundingClientRect = function (this: HTMLElement) { return { top: 100 * Math.floor(links().indexOf(this as HTMLAnchorElement) / 2) } as DOMRect; };
  Element.prototype.scrollIntoView = () => undefined;
  vi.stubGlobal("IntersectionObserver", Observer);
  document.body.innerHTML = "<main></main>";
});
beforeEach(() => {
  watched.clear();
  document.querySelector("main")!.innerHTML = `<p data-unselected></p><p data-selected hidden><b data-selected-count></b><button data-clear></button></p>
    <button data-select-all></button><ul data-contact>${[1, 2, 3, 4, 5].map(card).join("")}<li><a data-more href="http://studio.test/projects/birds/queue?cursor=5">Show more</a></li></ul>`;
});
afterEach(() => void vi.restoreAllMocks());

describe("the contact sheet", () => {
  it("moves over its cards by arrows, a row up and down, and not beyond", () => {
    contactSheet();
    const at = () => links().indexOf(document.activeElement as HTMLAnchorElement) + 1;
    const walk = ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown", "ArrowDown"].map((key) => (press(key), at()));
    expect(walk).toEqual([1, 2, 4, 3, 1, 1, 3, 5, 5]);
    // With Shift it selects all from one to the other, over rows too.
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", shiftKey: true, bubbles: true, cancelable: true }));
    expect(boxes().filter((box) => box.checked).map((box) => box.value)).toEqual(["3", "4", "5"]);
  });

  it("selects the card whose box has the focus, as the one whose link has it", () => {
    contactSheet();
    for (const focused of [links()[1]!, boxes()[2]!]) {
      focused.focus();
      focused.dispatchEvent(new KeyboardEvent("keydown", { key: "x", bubbles: true, cancelable: true }));
    }
    expect(boxes().map((box) => box.checked)).toEqual([false, true, true, false, false]);
  });

  it("selects cards, counts them, and lets go of them", () => {
    contactSheet();
    expect([hidden("[data-selected]"), hidden("[data-unselected]")]).toEqual([true, false]);
    boxes()[1]!.click();
    expect([hidden("[data-selected]"), hidden("[data-unselected]"), document.querySelector("[data-selected-count]")!.textContent]).toEqual([false, true, "1 selected"]);
    document.querySelector<HTMLElement>("[data-select-all]")!.click();
    expect(document.querySelector("[data-selected-count]")!.textContent).toBe("5 selected");
    press("Escape");
    expect(boxes().some((box) => box.checked)).toBe(false);
    expect(hidden("[data-selected]")).toBe(true);
  });

  it("fetches the next cards before the last ones are reached", async () => {
    const fetched = vi.fn<(address: URL) => Promise<Response>>();
    vi.stubGlobal("fetch", fetched);
    contactSheet();
    const more = document.querySelector<HTMLAnchorElement>("[data-more]")!;
    expect(watched.has(more)).toBe(true);
    fetched.mockRejectedValueOnce(new TypeError("fetch failed"));
    seen(more);
    expect(more.textContent).toBe("Fetching more…");
    await vi.waitFor(() => { expect(more.textContent).toBe("Show more"); }); // as a plain link it still works
    fetched.mockResolvedValueOnce(new Response(card(6) + card(7)));
    seen(more);
    await vi.waitFor(() => { expect(links().map((link) => link.textContent)).toEqual(["1", "2", "3", "4", "5", "6", "7"]); });
    expect(fetched.mock.lastCall![0].search).toBe("?cursor=5&part=cards");
    expect(document.querySelector("[data-more]")).toBeNull();
  });
});
