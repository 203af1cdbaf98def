// Sliders and choices that are bound to a setting.

import type { Settings, SettingsValues } from "../settings.ts";
import { button, h, say } from "./element.ts";

type NumberSetting = { [K in keyof SettingsValues]: SettingsValues[K] extends number ? K : never }[keyof SettingsValues];

interface SliderSpec {
  readonly label: string;
  readonly setting: NumberSetting;
  readonly hint: string;
  readonly words: (v: number) => string;
  /** Where on the slider's 0 … 1 a value stands, and back; linear without. */
  readonly to?: (v: number) => number;
  readonly from?: (t: number) => number;
  /** Is given what to call when `to` gives other places than before. */
  readonly rescaled?: (show: () => void) => void;
}

export function slider(settings: Settings, spec: SliderSpec): HTMLElement {
  const to = spec.to ?? ((v) => v);
  const from = spec.from ?? ((t) => t);
  const input = h("input", {
    type: "range", min: 0, max: 1, step: 0.001, "aria-label": spec.label, "data-testid": `set-${spec.setting}`,
    oninput: () => settings.set(spec.setting, Math.round(from(Number(input.value)) * 100) / 100),
    onpointerup: () => document.getElementById("stage")?.focus({ preventScroll: true }),
    onkeydown: (e) => {
      // A step of the slider's own 0.001 is too small to see.
      const by = e.key === "ArrowRight" || e.key === "ArrowUp" ? 0.02 : e.key === "ArrowLeft" || e.key === "ArrowDown" ? -0.02 : 0;
      if (by === 0) return;
      e.preventDefault();
      const t = Math.min(1, Math.max(0, to(settings.get(spec.setting)) + by));
      settings.set(spec.setting, Math.round(from(t) * 100) / 100);
    },
  });
  const out = h("output.slider-value");
  const show = () => {
    const v = settings.get(spec.setting);
    const at = String(to(v));
    if (document.activeElement !== input || Math.abs(Number(input.value) - to(v)) > 0.006) input.value = at;
    say(out, spec.words(v));
    input.setAttribute("aria-valuetext", spec.words(v));
  };
  settings.on("changed", (name) => name === spec.setting && show());
  spec.rescaled?.(show);
  show();
  return h("label.slider", { title: spec.hint }, h("span", {}, spec.label), input, out);
}

type TextSetting = { [K in keyof SettingsValues]: SettingsValues[K] extends string ? K : never }[keyof SettingsValues];

/** A row of buttons of which one is pressed. */
export function segments<K extends TextSetting>(
  settings: Settings, setting: K, label: string, choices: readonly (readonly [SettingsValues[K], string, string])[],
): HTMLElement {
  const buttons = choices.map(([value, text, hint]) => ({ value, element:
    button("button", { "data-keyed": hint, "data-testid": `${setting}-${value}`, onclick: () => settings.set(setting, value) }, text) }));
  const show = () => {
    for (const { value, element } of buttons) element.setAttribute("aria-pressed", String(settings.get(setting) === value));
  };
  settings.on("changed", (name) => name === setting && show());
  show();
  return h("div.segments", { role: "group", "aria-label": label }, ...buttons.map(({ element }) => element));
}

export function choice<K extends TextSetting>(
  settings: Settings, setting: K, label: string, choices: readonly (readonly [SettingsValues[K], string])[],
): HTMLElement {
  const select = h("select", { "aria-label": label, "data-testid": `set-${setting}`, onchange: () => {
    settings.set(setting, select.value as SettingsValues[K]);
    document.getElementById("stage")?.focus({ preventScroll: true });
  } }, ...choices.map(([value, text]) => h("option", { value }, text)));
  const show = () => (select.value = settings.get(setting));
  settings.on("changed", (name) => name === setting && show());
  show();
  return h("label.picker", {}, h("span", {}, label), select);
}
