// Keys that press a button, a link or a field: data-key="n".
import { digitOf, letterOf } from "../editor/src/input/letter.ts";
import { Settings } from "../editor/src/settings.ts";

export const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && (target.type === "checkbox" || target.type === "range" || target.type === "radio"));

/** Whether keys without Ctrl or Alt do anything: switched off in the editor's help or on the account page, they are off on all pages (WCAG 2.1.4). */
function singleKeys(): boolean {
  try {
    return new Settings(localStorage).get("singleKeys");
  } catch {
    return true; // a browser that forbids storage has no choice either
  }
}

/** The choice of the account page whether single keys do anything; it is hidden where the browser keeps none. */
export function chooseSingleKeys(): void {
  const choice = document.querySelector<HTMLElement>("[data-single-keys-choice]");
  const box = choice?.querySelector<HTMLInputElement>("[data-single-keys]");
  if (!choice || !box) return;
  try {
    const settings = new Settings(localStorage);
    box.checked = settings.get("singleKeys");
    box.addEventListener("change", () => settings.set("singleKeys", box.checked));
    choice.hidden = false;
  } catch {
    // nothing is kept, so there is nothing to choose
  }
}

/** Calls handle for a key pressed while nobody types; true means that it was used. */
export function onKey(handle: (key: string, event: KeyboardEvent) => boolean): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    const key = digitOf(event, event.shiftKey) ?? letterOf(event);
    if (key.length === 1 && key !== " " && !singleKeys()) return;
    if (handle(key, event)) event.preventDefault();
  });
}

export function pressKeys(): void {
  onKey((key, event) => {
    if (event.repeat) return false; // a held key presses once
    const target = document.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
    if (!target || target.closest("[hidden]")) return false;
    if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) target.focus();
    else target.click();
    return true;
  });
}

/** A choice that is its form's only field sends it. */
export function sendChoices(): void {
  for (const select of document.querySelectorAll<HTMLSelectElement>("select[data-submits]")) select.addEventListener("change", () => select.form?.requestSubmit());
}

/** Forms that cannot be undone ask first. */
export function confirmForms(): void {
  document.addEventListener("submit", (event) => {
    const question = event.target instanceof HTMLFormElement ? event.target.dataset["confirm"] : undefined;
    if (question && !confirm(question)) event.preventDefault();
  });
}

/** A popover or menu closes on Escape and on a press outside of it. */
export function closeMenus(): void {
  const open = () => document.querySelectorAll<HTMLDetailsElement>("details.menu[open], details.popover[open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target as Node)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}
