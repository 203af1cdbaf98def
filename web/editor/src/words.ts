// The text of the pages' scripts in the language of the page. The English text stands in the code and is the key (ADR 43);
// internal/words/ja.json has the Japanese, of which web/static/words.ja.js, loaded before every other script, has what scripts say.

/** A language's texts by their English wording; none in English. */
const catalogue = (globalThis as { studioWords?: Readonly<Record<string, string>> }).studioWords ?? {};

/** The language of the page, as Intl takes it. */
export const language = typeof document === "undefined" ? "en" : document.documentElement.lang || "en";

type Values = Readonly<Record<string, string | number>>;

/** A text; `values` are what stands in its braces: t("Sent back by {name}", { name }). What the catalogue lacks is English. */
export const t = (key: string, values?: Values): string => fill(catalogue[key] ?? key, values);

/** A text with a number, {n} in it: in English one or many, in other languages by the key many. */
export const tn = (n: number, one: string, many: string, values?: Values): string =>
  fill(catalogue[many] ?? (n === 1 ? one : many), { ...values, n: count(n) });

/** Marks a text that is said later, and kept in English until then: the name of a step, which is stored with a map. */
export const later = <T extends string>(key: T): T => key;

/** Says what `later` marked, or a word that the studio keeps in English; its values as those of t. */
export const said = (text: string, values?: Values): string => fill(catalogue[text] ?? text, values);

/** A whole number as people read it: 1,120. */
export const count = (n: number): string => n.toLocaleString(language);

/** A time of the day. */
export const clock = (at: Date): string => at.toLocaleTimeString(language);

const fill = (text: string, values?: Values): string =>
  values ? text.replace(/\{(\w+)\}/g, (braced, name: string) => written(values[name] ?? braced)) : text;

/** A value as people read it; a number that names a thing, as of a task, is handed in as text. */
const written = (value: string | number): string => (typeof value === "number" && Number.isInteger(value) ? count(value) : isolated(String(value)));

/** A text that people typed, as it stands in another: a mark that turns the direction of what follows, such as U+202E, ends with it. */
const isolated = (value: string): string => (/[\u202a\u202b\u202d\u202e\u2066-\u2068]/.test(value) ? `\u2068${value}\u2069` : value);
