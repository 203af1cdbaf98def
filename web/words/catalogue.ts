// The catalogue as package words of Go has it, and the part of it that scripts get.

export interface Catalogue {
  readonly texts: Readonly<Record<string, string>>;
  readonly said: Readonly<Record<string, string>>;
}

/** The script that hands `keys`' texts to words.ts; of said, what has no arguments and may come from the API. */
export function bundleOf({ texts, said }: Catalogue, keys: Iterable<string>): string {
  const all = Object.entries(said).filter(([key]) => !/%|\$\{/.test(key));
  for (const key of keys) if (texts[key] !== undefined) all.push([key, texts[key]]);
  const sorted = [...new Map(all)].sort(([a], [b]) => (a < b ? -1 : 1));
  return `globalThis.studioWords=${JSON.stringify(Object.fromEntries(sorted))};\n`;
}
