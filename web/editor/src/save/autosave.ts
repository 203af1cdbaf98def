// Saves the map after every stroke. There is never more than one save under way; strokes made meanwhile go
// with the next one. A save says which revision it was made from; if that is stale nothing is overwritten.
//
//   looking ── the task is taken ──▶ pending
//   untouched ── stroke ──▶ pending ──▶ saving ──▶ saved
//                              ▲          ├─ unreachable ──▶ offline ── backoff, or `online` ──▶ saving
//                              │          ├─ 409, current ──▶ conflict ── mine ──▶ saving, theirs ──▶ saved; of a task that is not taken: looking
//                              │          ├─ 409 ──▶ lost ── taken again ──▶ saving
//                              │          ├─ 404, and the project is not there either ──▶ outside ── a member again ──▶ saving
//                              │          ├─ 401 ──▶ signed out ── signed in again ──▶ saving
//                              └─ stroke ─┴─ 4xx ──▶ refused

import { Outside, passing, Problem } from "../api/problem.ts";
import type { Edit } from "../api/schema.d.ts";
import { Emitter } from "../emitter.ts";
import { checksum, fromWire, stateFromWire } from "../grid.ts";
import type { MapDocument } from "../document.ts";
import type { Journal } from "./journal.ts";

export type SaveState =
  | { readonly kind: "untouched" }
  | { readonly kind: "looking" } // nobody holds the task: what is painted is kept here until it is taken
  | { readonly kind: "pending" }
  | { readonly kind: "saving" }
  | { readonly kind: "saved"; readonly at: number } // ms since the epoch
  | { readonly kind: "offline"; readonly message: string }
  | { readonly kind: "conflict"; readonly current: Edit }
  | { readonly kind: "lost"; readonly message: string } // somebody else holds the task, or nobody
  | { readonly kind: "signed-out" } // the session has ended: it is saved once the person has signed in again
  | { readonly kind: "outside"; readonly message: string } // no member of the project any more: it is saved once they are one again
  | { readonly kind: "refused"; readonly message: string };

export const coalesce = 250; // ms that a save waits for another stroke
export const longestWait = 1500; // ms that strokes can put a save off
const firstRetry = 1000;
const lastRetry = 30_000;

/** Sends one save; `last` while the page goes away. */
export type Save = (document: MapDocument, base: number, last: boolean) => Promise<Edit>;

/** Whether a revision is one of the maps that were sent and never answered, by their checksums. */
export const answersTo = (unanswered: readonly string[], revision: Edit): boolean =>
  [fromWire(revision.map), stateFromWire(revision.map)].some((map) => unanswered.includes(checksum(map)));

export class Autosave extends Emitter<{ state: SaveState }> {
  state: SaveState = { kind: "untouched" };
  private made = 0; // changes made here
  private kept = 0; // changes the server has acknowledged
  private inFlight: Promise<void> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private retry = firstRetry;
  private waitingSince = 0;
  private closed = false;
  private held = true; // whether the task is taken

  constructor(
    private readonly task: number,
    private readonly user: number,
    private readonly document: MapDocument,
    /** The latest revision known; 0: none. */
    public revision: number,
    private readonly journal: Journal,
    private readonly save: Save,
    /** Checksums of maps that were sent from this revision and never answered, by an earlier page too: any may be stored yet. */
    private unanswered: readonly string[] = [],
  ) {
    super();
    if (revision > 0) this.state = { kind: "saved", at: Date.now() };
  }

  get dirty(): boolean {
    return this.made > this.kept;
  }

  /** Whether the browser itself keeps what the server has not got. */
  journaled = true;

  /** A step was made, undone or redone. */
  changed(): void {
    if (!this.dirty) this.waitingSince = Date.now();
    this.made++;
    this.note();
    if (["conflict", "lost", "looking"].includes(this.state.kind)) return; // until somebody decides, or the task is taken
    if (this.state.kind === "offline") return; // the next attempt saves this change too
    if (!this.inFlight) this.become({ kind: "pending" });
    this.schedule(Math.max(0, Math.min(coalesce, this.waitingSince + longestWait - Date.now())));
  }

  /** Starts from the stale side of a conflict: what is here was made from another revision than `current`. */
  startConflict(current: Edit): void {
    this.made++;
    this.become({ kind: "conflict", current });
  }

  /** Saves what is unsaved now; true once the server has everything. */
  async flush(): Promise<boolean> {
    clearTimeout(this.timer);
    for (let before = -1; this.dirty && !this.closed;) {
      if (["conflict", "lost", "looking"].includes(this.state.kind)) return false;
      if (this.kept === before) return false; // that attempt saved nothing
      before = this.kept;
      await (this.inFlight ?? this.attempt());
    }
    return !this.closed;
  }

  /** Saves nothing until the task is taken. */
  look(): void {
    this.held = false;
    this.become({ kind: "looking" });
  }

  /** The task was taken; `current` is its latest revision, which somebody may have made meanwhile. */
  taken(current: Edit | undefined): void {
    if (this.state.kind !== "looking") return;
    this.held = true;
    if (current && current.revision !== this.revision) return this.become({ kind: "conflict", current });
    this.become(this.dirty ? { kind: "pending" } : current ? { kind: "saved", at: Date.parse(current.created_at) } : { kind: "untouched" });
    this.resume();
  }

  /** The connection is back, or the task is held again. */
  resume(): void {
    if (this.closed || !this.dirty || this.state.kind === "conflict" || this.state.kind === "looking") return;
    this.retry = firstRetry;
    if (this.state.kind === "lost") this.become({ kind: "pending" });
    this.schedule(0);
  }

  /** The task is somebody else's now. */
  lose(message: string): void {
    clearTimeout(this.timer);
    this.become({ kind: "lost", message });
  }

  /** Ends a conflict by saving what is here on top of the other revision, once the task is taken. */
  keepMine(): void {
    if (this.state.kind !== "conflict") return;
    this.revision = this.state.current.revision;
    this.become({ kind: this.held ? "pending" : "looking" });
    this.note();
    if (this.held) this.schedule(0);
  }

  /** Ends a conflict after the document has taken the other revision's map. */
  keptTheirs(): void {
    if (this.state.kind !== "conflict") return;
    this.revision = this.state.current.revision;
    this.settled();
  }

  /** The page goes away: sends what is unsaved if nothing is under way. The journal has it in any case. */
  leave(): void {
    if (this.closed || !this.dirty) return;
    this.note();
    if (!this.inFlight && !["conflict", "lost", "looking"].includes(this.state.kind)) void this.attempt(true);
  }

  /** Stops; what the server has not acknowledged stays in the journal. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private schedule(delay: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.inFlight) void this.attempt();
    }, delay);
  }

  private attempt(last = false): Promise<void> {
    clearTimeout(this.timer);
    this.inFlight = this.send(last).finally(() => {
      this.inFlight = null;
      if (!this.closed && this.dirty && this.state.kind === "saved") {
        this.become({ kind: "pending" });
        this.schedule(coalesce);
      }
    });
    return this.inFlight;
  }

  private async send(last: boolean): Promise<void> {
    const sending = this.made;
    if (this.state.kind !== "offline") this.become({ kind: "saving" });
    const sent = checksum(this.document.kept);
    if (!this.unanswered.includes(sent)) this.unanswered = [...this.unanswered, sent];
    this.note();
    try {
      const edit = await this.save(this.document, this.revision, last);
      this.revision = edit.revision;
      this.kept = sending;
      this.retry = firstRetry;
      this.unanswered = []; // a save from the revision before can't be stored any more
      this.waitingSince = Date.now();
      if (this.dirty) this.note();
      else if (!last) this.journal.remove(this.task); // a last save carries less undo than the journal
      this.become({ kind: "saved", at: Date.now() });
    } catch (error) {
      if (!this.closed) this.failed(error);
    }
  }

  private failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (passing(error)) {
      this.become({ kind: "offline", message });
      this.schedule(this.retry);
      this.retry = Math.min(lastRetry, this.retry * 2);
      return;
    }
    if (error instanceof Problem && error.status === 409) {
      const current = error.current;
      if (!current) return this.become({ kind: "lost", message });
      if (answersTo(this.unanswered, current)) {
        // The other revision is this person's own save, whose answer was lost.
        this.revision = current.revision;
        this.unanswered = [];
        this.become({ kind: "pending" });
        return this.schedule(0);
      }
      return this.become({ kind: "conflict", current });
    }
    const signedOut = error instanceof Problem && error.status === 401;
    const outside = error instanceof Outside;
    if (signedOut || outside) this.schedule(this.retry = lastRetry); // somebody may sign in in another tab, or be let in again
    this.become(signedOut ? { kind: "signed-out" } : { kind: outside ? "outside" : "refused", message });
  }

  private settled(): void {
    this.kept = this.made;
    this.journal.remove(this.task);
    this.become(this.held ? { kind: "saved", at: Date.now() } : { kind: "looking" });
  }

  private note(): void {
    const { document } = this;
    if (this.closed) return;
    this.journaled = this.journal.write(
      this.task, this.user, this.revision, this.unanswered, document.kept, document.source, document.history,
    );
  }

  private become(state: SaveState): void {
    this.state = state;
    if (!this.closed) this.emit("state", state);
  }
}
