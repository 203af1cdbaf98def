/**
 * The letter of a key as the tables of shortcuts have it: what it writes, in lower case, where that is Latin; where a layout or an input
 * method writes something else (я, "Process"), the letter that stands there on a Latin keyboard. Keys that are no letters stay what they are.
 */
export function letterOf({ key, code }: { readonly key: string; readonly code: string }): string {
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  const there = /^Key([A-Z])$/.exec(code)?.[1];
  const written = key.length === 1 ? key.charCodeAt(0) > 0x7f : ["Process", "Unidentified", "Dead"].includes(key);
  return there && written ? there.toLowerCase() : key;
}
