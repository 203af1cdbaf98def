// What stands around a page's matter: the theme, explained terms, the outline of what a model sees.

import { describe, expect, it, vi } from "vitest";
import { themeSwitch } from "../theme.ts";
import { explainTerms } from "../tip.ts";
import { outlineCrop } from "../whole.ts";

describe("the theme", () => {
  it("is switched against the system's at first, and kept in a cookie for the server", () => {
    vi.stubGlobal("matchMedia", () => ({ matches: true })); // the system's is dark
    const changed = vi.fn();
    addEventListener("themechange", changed);
    document.body.innerHTML = "<button data-theme-switch>Theme</button>";
    themeSwitch();
    const press = () => {
      document.querySelector("button")!.click();
      return [document.documentElement.dataset["theme"], document.cookie];
    };
    expect([press(), press()]).toEqual([["light", "theme=light"], ["dark", "theme=dark"]]);
    expect(changed).toHaveBeenCalledTimes(2);
  });
});

describe("a term", () => {
  it("is explained while the pointer or the focus rests on it, inside the window", () => {
    document.body.innerHTML = `<p>The <b class="term" tabindex="0" data-tip="Where it looks"><i>map</i></b></p>`;
    explainTerms();
    const tip = document.querySelector<HTMLElement>(".tip")!;
    const term = document.querySelector<HTMLElement>(".term")!;
    const box = (left: number, top: number, width: number, height: number) => ({ left, top, width, height, right: left + width, bottom: top + height }) as DOMRect;
    term.getBoundingClientRect = () => box(innerWidth - 30, 100, 30, 20);
    tip.getBoundingClientRect = () => box(0, 0, 200, 40);
    term.firstElementChild!.dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect([tip.hidden, tip.textContent, tip.style.left, tip.style.top]).toEqual([false, "Where it looks", `${innerWidth - 208}px`, "126px"]);
    term.dispatchEvent(new Event("pointerout", { bubbles: true }));
    expect(tip.hidden).toBe(true);
    term.getBoundingClientRect = () => box(20, innerHeight - 30, 30, 20);
    term.dispatchEvent(new Event("focusin", { bubbles: true }));
    expect([tip.style.left, tip.style.top]).toEqual(["20px", `${innerHeight - 76}px`]); // above, where there is no room below
  });
});

describe("the outline on a whole picture", () => {
  it("is the centre crop of the resized picture, in shares of the picture", () => {
    // 256 for the shorter side, then 224 × 224 in the middle; shown at half its size.
    document.body.innerHTML = `<div data-crop="shorter,256,256,224,224,800,512"><img><svg hidden><path></path></svg></div><div data-crop="shorter,256,256,0,0,8,8"><img><svg hidden><path></path></svg></div>`;
    for (const image of document.querySelectorAll("img")) {
      Object.defineProperties(image, { complete: { value: true }, naturalWidth: { value: 400 }, naturalHeight: { value: 256 } });
    }
    outlineCrop();
    const [drawing, none] = document.querySelectorAll("svg");
    expect(document.querySelector("path")!.getAttribute("d")).toBe("M0 0h100v100h-100zM22 6.25v87.5h56v-87.5z");
    expect([drawing!.hasAttribute("hidden"), none!.hasAttribute("hidden")]).toEqual([false, true]);
    // Both sides to 256, squeezed: the crop's share of each is the same.
    const stage = document.querySelector<HTMLElement>("[data-crop]")!;
    stage.dataset["crop"] = "both,256,256,224,224,800,512";
    outlineCrop();
    expect(document.querySelector("path")!.getAttribute("d")).toBe("M0 0h100v100h-100zM6.25 6.25v87.5h87.5v-87.5z");
    stage.dataset["crop"] = "longer,224,224,224,224,800,512"; // padded above and below: all of it is seen
    outlineCrop();
    expect(document.querySelector("path")!.getAttribute("d")).toBe("M0 0h100v100h-100zM0 0v100h100v-100z");
  });
});
