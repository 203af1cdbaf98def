// What a key is called in the tables of shortcuts, on every layout: a Latin letter by what the key writes, everything else by where it is.

interface Key {
  readonly key: string;
  readonly code: string;
}

/** Signs that the tables have themselves: what writes one is no letter. */
const signs = "+-=_[]{}?";

/**
 * The letter of a key: what it writes, in lower case, where that is Latin; where a layout or an input method writes something else
 * (я, لا, the Greek ;, "Process"), the letter that stands there on a Latin keyboard. Keys that are no letters stay what they are.
 */
export function letterOf({ key, code }: Key): string {
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  const there = /^Key([A-Z])$/.exec(code)?.[1];
  const written = key.length === 1 ? !signs.includes(key) : /[^\x20-\x7e]/.test(key) || ["Process", "Unidentified", "Dead"].includes(key);
  return there && written ? there.toLowerCase() : key;
}

/** The digit of a key: what it writes, or where a layout has its digits with Shift, what stands on its place. */
export function digitOf({ key, code }: Key, shift: boolean): string | undefined {
  return /^[0-9]$/.test(key) ? key : shift ? undefined : /^Digit([0-9])$/.exec(code)?.[1];
}
