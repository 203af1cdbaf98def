import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { chooseSingleKeys, closeMenus, confirmForms, pressKeys } from "../keys.ts";

function press(key: string, on: EventTarget = document.body, more: KeyboardEventInit = {}): boolean {
  return !on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

beforeAll(() => {
  pressKeys();
  confirmForms();
  closeMenus();
});
beforeEach(() => {
  document.body.innerHTML = `
    <button data-key="n">Next</button> <input data-key="/" type="search"> <input type="checkbox"> <textarea></textarea>
    <form data-confirm="Really?"></form>
    <details class="menu" open><summary>Menu</summary><a href="#">Item</a></details>`;
});

const find = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;

describe("keys", () => {
  it("press what names them, and put the cursor into a field", () => {
    const clicked = vi.fn();
    find("button").addEventListener("click", clicked);
    expect(press("N")).toBe(true); // Caps Lock
    expect(clicked).toHaveBeenCalledTimes(1);
    expect(press("/")).toBe(true);
    expect(document.activeElement).toBe(find("[type=search]"));
    expect(press("q")).toBe(false);
  });

  it("do nothing where a person has switched off keys without Ctrl or Alt", () => {
    const clicked = vi.fn();
    find("button").addEventListener("click", clicked);
    localStorage.setItem("abn-editor/settings", JSON.stringify({ singleKeys: false }));
    expect([press("n"), press("/")]).toEqual([false, false]);
    localStorage.removeItem("abn-editor/settings");
    press("n");
    expect(clicked).toHaveBeenCalledTimes(1);
  });

  it("are switched off and on again on the account page", () => {
    document.body.insertAdjacentHTML("beforeend", `<section data-single-keys-choice hidden><input type="checkbox" data-single-keys></section>`);
    chooseSingleKeys();
    const box = find<HTMLInputElement>("[data-single-keys]");
    expect([find("section").hidden, box.checked]).toEqual([false, true]);
    box.click();
    expect(press("n")).toBe(false);
    box.click();
    expect(press("n")).toBe(true);
    localStorage.removeItem("abn-editor/settings");
  });

  it("are left alone while somebody types, and with Control, Alt or Command", () => {
    const clicked = vi.fn();
    find("button").addEventListener("click", clicked);
    press("n", find("[type=search]"));
    press("n", find("textarea"));
    for (const held of ["ctrlKey", "altKey", "metaKey"]) press("n", document.body, { [held]: true });
    expect(clicked).not.toHaveBeenCalled();
    press("n", find("[type=checkbox]")); // nobody types into one
    expect(clicked).toHaveBeenCalledTimes(1);
  });
});

describe("a form that cannot be undone", () => {
  it("asks first", () => {
    const asked = vi.fn<(question?: string) => boolean>();
    vi.stubGlobal("confirm", asked);
    const submit = () => find("form").dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    asked.mockReturnValueOnce(false).mockReturnValueOnce(true);
    expect([submit(), submit()]).toEqual([false, true]);
    expect(asked).toHaveBeenCalledWith("Really?");
    delete find("form").dataset["confirm"];
    expect(submit()).toBe(true);
    expect(asked).toHaveBeenCalledTimes(2);
  });
});

describe("a menu", () => {
  it("closes on a press outside of it, not inside", () => {
    const menu = find<HTMLDetailsElement>("details");
    menu.querySelector("a")!.click();
    expect(menu.open).toBe(true);
    find("button").click();
    expect(menu.open).toBe(false);
  });

  it("closes on Escape, and gives the focus back to what opened it", () => {
    press("Escape", find("a"));
    expect(find<HTMLDetailsElement>("details").open).toBe(false);
    expect(document.activeElement).toBe(find("summary"));
  });
});
