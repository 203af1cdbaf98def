// The help: all keys and what they do. A person can give what has one key another one, and switch off the keys without Ctrl or Alt.

import type { Desk } from "../desk.ts";
import { bindings, keymap, keymapOf, keysOf, type Binding } from "../input/keys.ts";
import { chordOf, chordWords } from "../input/keymap.ts";
import { button, fill, h, say } from "./element.ts";
import { keyInput } from "./keyboard.ts";
import { later, said, t } from "../words.ts";

const groups = [later("Paint"), later("Map"), later("View"), later("Cell"), later("Task")] as const;
const modifiers: readonly string[] = ["Shift", "Control", "Alt", "AltGraph", "Meta"];

/** Fills the help's dialog, which `close` closes. */
export function keysHelp(desk: Desk, element: HTMLDialogElement, close: () => void): void {
  const { editor, editor: { settings } } = desk;
  const values = h("p.muted", { "data-testid": "help-values" });
  desk.on("opened", () => say(values, desk.detail?.mechanism.values ?? ""));
  const told = h("p.muted", { role: "status", "data-testid": "keys-told" });
  const table = h("div.help");
  const singles = h("input", { type: "checkbox", "data-testid": "single-keys", onchange: () => settings.set("singleKeys", singles.checked) });
  let changing = false;
  let waiting: Binding | null = null; // for a key

  const wait = (binding: Binding | null, words = "") => {
    waiting = binding;
    say(told, words);
    show();
    element.querySelector<HTMLElement>("[data-waiting]")?.focus();
  };
  const change = button("button", { "data-testid": "change-keys", onclick: () => {
    changing = !changing;
    wait(null, changing ? t("Press a key's button, then the key that it is to be.") : "");
  } });
  const reset = button("button", { "data-testid": "reset-keys", onclick: () => {
    settings.set("keys", "{}");
    wait(null, t("All keys are as they were."));
  } }, t("As they were"));

  const keyOf = (b: Binding): HTMLElement => {
    const keys = keysOf(b, keymap(editor));
    if (!changing || !b.chord) return h("kbd", {}, keys);
    const open = waiting === b;
    return button("button.key", {
      "data-chord": b.chord, "data-waiting": open, "aria-label": open ? t("Press the key for: {does}", { does: b.does }) : t("{keys}: {does}. Change the key", { keys, does: b.does }), onclick: () => wait(open ? null : b, open ? "" : t("Press the key for “{does}”. Delete gives it its first one again, Esc leaves it.", { does: b.does })),
    }, open ? "…" : keys);
  };
  const show = () => {
    singles.checked = settings.get("singleKeys");
    say(change, changing ? t("Done") : t("Change keys"));
    reset.hidden = !keymap(editor).changed;
    fill(table, ...groups.map((group) => h("section", {}, h("h3", {}, said(group)), h("dl", {},
      ...bindings.filter((b) => b.group === group && (b.there?.(editor) ?? true)).flatMap((b) => [h("dt", {}, keyOf(b)), h("dd", {}, b.does)])))));
  };

  element.addEventListener("keydown", (e) => {
    if (!waiting?.chord || modifiers.includes(e.key)) return;
    e.preventDefault();
    e.stopPropagation();
    const { chord, does } = waiting;
    if (e.key === "Escape") { wait(null); return; }
    const map = keymapOf(settings.get("keys"));
    const given = e.key === "Delete" || e.key === "Backspace" ? chord : chordOf(keyInput(e));
    const refusal = map.refusal(chord, given);
    if (refusal) { wait(waiting, refusal); return; }
    map.give(chord, given);
    settings.set("keys", map.toString());
    wait(null, `${chordWords(given)}: ${does}`);
  });
  element.addEventListener("cancel", (e) => {
    if (waiting) e.preventDefault(); // Escape leaves the key, not the help
  });
  element.addEventListener("close", () => {
    changing = false;
    wait(null);
  });
  show();
  element.append(
    values,
    h("label.check", {}, singles, t("Keys without Ctrl or Alt (off: buttons, arrows, Enter and keys with Ctrl do it all)")),
    h("div.row", {}, change, reset, told), table,
    h("p.muted", {}, h("a", { href: "/guide", target: "_blank" }, t("How to paint a map: good maps and bad ones, on one page"))),
    h("div.row.end", {}, button("button.primary", { onclick: close }, t("Close"))),
  );
}
