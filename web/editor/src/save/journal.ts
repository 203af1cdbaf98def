// What has been painted and not yet acknowledged by the server, in localStorage: written in the same task as the
// stroke's end, so that neither a crash nor a lost connection loses a finished stroke.

import type { CorrectRequestBody } from "../api/schema.d.ts";
import { encodeHistory, fromBase64, historyBudget, toBase64, type WireHistory } from "../history_codec.ts";
import type { History, Source } from "../history.ts";

export interface JournalEntry {
  readonly user: number; // whose work it is; 0 where it was not known
  readonly base: number; // the revision it was made from
  /** Checksums of the maps that were sent from that revision and not answered. */
  readonly unanswered: readonly string[];
  readonly state: Float32Array; // values and marks
  readonly source: Source;
  readonly history: WireHistory;
}

interface Stored {
  readonly v: 1;
  readonly user: number;
  readonly base: number;
  readonly sent: readonly string[] | string | null; // a list; one or none in journals of older pages
  readonly source: Source;
  readonly map: string; // base64 of little-endian float32: values, or values and marks
  readonly history: WireHistory;
}

/** What a reviewer says of an edit. What they have not said is absent. */
export type Said = Pick<CorrectRequestBody, "comment" | "reasons" | "pins">;
export type Choice = Required<Pick<Said, "reasons" | "pins">>;

export type JournalStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const key = (task: number): string => `abn-editor/journal/${task}`;
/** Under what the words of a verdict are kept until it has arrived; the review page writes them. */
export const wordsKey = (user: number | string, edit: number): string => `review-comment/${user}/${edit}`;
/** Under what the reasons and pins of a verdict are kept as JSON, beside its words. */
export const choiceKey = (user: number | string, edit: number): string => `${wordsKey(user, edit)}/choice`;
const hintsKey = (user: number, task: number): string => `abn-editor/hints/${user}/${task}`;

export class Journal {
  constructor(private readonly storage: JournalStorage | null) {}

  /** Keeps the present state of a task; false where the browser keeps nothing. */
  write(
    task: number, user: number, base: number, unanswered: readonly string[],
    kept: Float32Array, source: Source, history: History,
  ): boolean {
    // Browsers store about 5 MB per site. If the entry does not fit, it is stored without undo.
    for (const budget of [historyBudget, historyBudget / 16, 0]) {
      const stored: Stored = {
        v: 1, user, base, sent: unanswered, source,
        map: toBase64(new Uint8Array(kept.buffer, kept.byteOffset, kept.byteLength)),
        history: encodeHistory(history, kept, budget),
      };
      try {
        if (!this.storage) return false;
        this.storage.setItem(key(task), JSON.stringify(stored));
        return true;
      } catch {
        // over quota: try with less
      }
    }
    return false;
  }

  /** What is kept for a task, if its grid has `cells` cells. */
  read(task: number, cells: number): JournalEntry | null {
    try {
      const stored = JSON.parse(this.storage?.getItem(key(task)) ?? "null") as Stored | null;
      if (stored?.v !== 1) return null;
      const bytes = fromBase64(stored.map);
      if (bytes.length !== 4 * cells && bytes.length !== 8 * cells) return null;
      const state = new Float32Array(2 * cells);
      state.set(new Float32Array(bytes.buffer));
      const { user, base, sent, source, history } = stored;
      return { user, base, unanswered: [sent ?? []].flat(), source, history, state };
    } catch {
      return null;
    }
  }

  remove(task: number): void {
    this.drop(key(task));
  }

  /** What a reviewer has said of an edit on the review page, and not sent. */
  said(user: number, edit: number): Said {
    try {
      const comment = this.storage?.getItem(wordsKey(user, edit))?.trim();
      const { reasons = [], pins = [] } = JSON.parse(this.storage?.getItem(choiceKey(user, edit)) ?? "{}") as Partial<Choice>;
      return { ...(comment && { comment }), ...(reasons.length > 0 && { reasons }), ...(pins.length > 0 && { pins }) };
    } catch {
      return {};
    }
  }

  removeSaid(user: number, edit: number): void {
    this.drop(wordsKey(user, edit));
    this.drop(choiceKey(user, edit));
  }

  /** Keeps how often somebody was shown a hint of a task; 0 once the server has it. */
  noteHints(user: number, task: number, times: number): void {
    if (times === 0) return this.drop(hintsKey(user, task));
    try {
      this.storage?.setItem(hintsKey(user, task), String(times));
    } catch {
      // over quota: the page still knows
    }
  }

  hints(user: number, task: number): number {
    try {
      const times = Number(this.storage?.getItem(hintsKey(user, task)));
      return Number.isSafeInteger(times) && times > 0 ? times : 0;
    } catch {
      return 0;
    }
  }

  private drop(item: string): void {
    try {
      this.storage?.removeItem(item);
    } catch {
      // forbidden storage holds nothing
    }
  }
}
