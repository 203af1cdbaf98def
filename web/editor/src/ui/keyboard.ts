// DOM key events, as the editor reads them, and which of them belong to the control that has the focus.

import type { KeyInput } from "../input/key_input.ts";

export const keyInput = (e: KeyboardEvent): KeyInput => ({
  key: e.key, code: e.code, ctrl: e.ctrlKey || e.metaKey, shift: e.shiftKey, alt: e.altKey, repeat: e.repeat,
});

const moving = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

/** Whether the focused control uses this key itself: text is typed, sliders slide, buttons are pressed. */
export function ownsKey(e: KeyboardEvent): boolean {
  const target = e.target;
  if (!(target instanceof HTMLElement)) return false;
  if (e.isComposing || target.isContentEditable) return true;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement) return target.type === "range" || target.type === "radio" ? moving.has(e.key) : true;
  const pressable = target.closest("button, a, summary") !== null;
  return pressable && !e.ctrlKey && !e.metaKey && (e.key === " " || e.key === "Enter");
}
