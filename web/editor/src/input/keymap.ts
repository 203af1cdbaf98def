// The keys that a person has chosen in place of the table's (keys.ts), and whether keys without Ctrl or Alt do anything (WCAG 2.1.4).
// A key is written as a chord, "Shift+f"; what is bound in the table to a chord is named by it.

import type { KeyInput } from "./key_input.ts";
import { letterOf } from "./letter.ts";
import { t } from "../words.ts";

/** What a chord can be given to: a line of the table with a key that is its own. */
export interface Bound {
  readonly chord: string;
  readonly does: string;
}

/** A key as a chord: modifiers, and its letter or name. What writes a sign says with it whether Shift was held. */
export function chordOf(k: Pick<KeyInput, "key" | "code" | "ctrl" | "shift" | "alt">): string {
  const key = letterOf(k);
  const shift = k.shift && (key.length > 1 || /^[a-z ]$/.test(key));
  return [k.ctrl && "Ctrl", k.alt && "Alt", shift && "Shift", key].filter(Boolean).join("+");
}

/** The key press that a chord of the table stands for. */
function pressOf(chord: string, repeat: boolean): KeyInput {
  const { key, before } = partsOf(chord);
  return { key, code: "", ctrl: before.includes("Ctrl"), shift: before.includes("Shift"), alt: before.includes("Alt"), repeat };
}

/** A chord's key, which may be the plus itself, and its modifiers. */
function partsOf(chord: string): { readonly key: string; readonly before: readonly string[] } {
  const key = chord.endsWith("+") ? "+" : (chord.split("+").pop() ?? "");
  return { key, before: chord.slice(0, chord.length - key.length).split("+").filter(Boolean) };
}

/** A chord as people read it. */
export function chordWords(chord: string): string {
  const { key, before } = partsOf(chord);
  const name = key === " " ? t("Space") : key.length === 1 ? key.toUpperCase() : key;
  return before.includes("Shift") && before.length === 1 ? `⇧${name}` : [...before, name].join(" ");
}

/** Whether a chord is one character, which somebody who dictates may say by accident. */
const single = (chord: string): boolean => /^(Shift\+)?[^ ]$/u.test(chord);

/** Keys that the browser keeps for itself. */
const fixed = new Set([
  ...Array.from("tnwqrlpfhjdacvxou", (letter) => `Ctrl+${letter}`), ...Array.from("tnwpirj", (letter) => `Ctrl+Shift+${letter}`),
]);
const named = /^(Arrow|Page|Home|End|F\d+$|Shift$|Control$|Alt$|AltGraph$|Meta$|CapsLock$|Dead$|Process$|Unidentified$|ContextMenu$|.*(Tab|Enter|Escape)$)/;

export class Keymap {
  private own = new Map<string, string>(); // the table's chord → the person's

  /** `bound` are the table's lines that can have another key, `kept` is what toString gave, and `others` whether a press is one of the lines that can't. */
  constructor(private readonly bound: readonly Bound[], private readonly others: (k: KeyInput) => boolean, kept: string) {
    try {
      for (const [of, own] of Object.entries(JSON.parse(kept) as Record<string, unknown>)) if (typeof own === "string") this.own.set(of, own);
    } catch {
      // what can't be read is nobody's choice
    }
    for (let wrong = true; wrong;) { // all together: two may have changed places
      const found = [...this.own].find(([of, own]) => this.refusal(of, own) !== "");
      wrong = found !== undefined;
      if (found) this.own.delete(found[0]);
    }
  }

  toString(): string {
    return JSON.stringify(Object.fromEntries(this.own));
  }

  get changed(): boolean {
    return this.own.size > 0;
  }

  /** The chord that a line of the table has now. */
  chord(of: string): string {
    return this.own.get(of) ?? of;
  }

  /** Why a line of the table can't have a chord; "" where it can. */
  refusal(of: string, chord: string): string {
    if (!this.bound.some((b) => b.chord === of)) return t("There is nothing to give a key to");
    const { key } = partsOf(chord);
    if (chord !== of && (key === "" || fixed.has(chord) || named.test(key) || this.others(pressOf(chord, false)))) return t("{chord} stays what it is: take another key", { chord: chordWords(chord) });
    const taken = this.bound.find((b) => b.chord !== of && this.chord(b.chord) === chord);
    return taken ? t("{chord} is already “{does}”: give that another key first", { chord: chordWords(chord), does: taken.does }) : "";
  }

  /** Gives a line of the table another chord; its own again takes the choice back. */
  give(of: string, chord: string): void {
    if (chord === of) this.own.delete(of);
    else if (!this.refusal(of, chord)) this.own.set(of, chord);
  }

  reset(): void {
    this.own.clear();
  }

  /** The key press that the table is asked for; null: this key does nothing here. `singles` says whether single characters do anything. */
  translate(k: KeyInput, singles: boolean): KeyInput | null {
    const chord = chordOf(k);
    if (!singles && single(chord)) return null;
    for (const [of, own] of this.own) if (own === chord) return pressOf(of, k.repeat);
    return this.own.has(chord) ? null : k; // it is the table's key of something that has another now
  }
}
