// Says keys on the page as this person has them: titles have them as chords in braces (data-keyed), key caps as a chord (data-key).

import type { Editor } from "../editor.ts";
import { chordWords } from "../input/keymap.ts";
import { keymap } from "../input/keys.ts";

/** The key of a line of the table, which is named by its chord there, as people read it. */
export const keyWords = (editor: Editor, chord: string): string => chordWords(keymap(editor).chord(chord));

/** Writes the keys below `root`, now and whenever they change. */
export function sayKeys(root: HTMLElement, editor: Editor): void {
  const write = () => {
    for (const e of root.querySelectorAll<HTMLElement>("[data-keyed]")) {
      e.title = (e.dataset["keyed"] ?? "").replace(/\{([^}]+)\}/g, (_, chord: string) => keyWords(editor, chord));
    }
    for (const e of root.querySelectorAll<HTMLElement>("[data-key]")) e.textContent = keyWords(editor, e.dataset["key"] ?? "");
  };
  editor.settings.on("changed", (name) => {
    if (name === "keys") write();
  });
  write();
}
