// One person's work at the editor: opens a task, wires map, scores, saves and lease together, and goes on to the next
// after a submission or a skip. Nothing here touches the page.

import { Client, type LabelRequest, type Selection } from "./api/client.ts";
import { passing, Problem, reason } from "./api/problem.ts";
import type { Edit, Scores, TaskCard, TaskDetail } from "./api/schema.d.ts";
import { Comparison } from "./comparison.ts";
import { MapDocument } from "./document.ts";
import { Editor } from "./editor.ts";
import { Emitter } from "./emitter.ts";
import { baseName, digitsFor, probability } from "./format.ts";
import { oriented } from "./geometry.ts";
import { fromWire, sameBits, stateFromWire, wireMap } from "./grid.ts";
import type { Step } from "./history.ts";
import { decodeHistory } from "./history_codec.ts";
import { Hint } from "./hint.ts";
import { everyReview, LeaseKeeper } from "./lease.ts";
import { marksFromWire } from "./marks.ts";
import { Merge } from "./merge.ts";
import { answersTo, Autosave, type SaveState } from "./save/autosave.ts";
import { Baseline } from "./save/baseline.ts";
import type { Journal, Said } from "./save/journal.ts";
import { Regions } from "./regions.ts";
import { LiveScores } from "./scores.ts";
import { Starts } from "./starts.ts";
import { Stopwatch } from "./stopwatch.ts";
import { later, said, t } from "./words.ts";

export type Phase =
  | { readonly kind: "loading"; readonly what: string }
  | { readonly kind: "working" }
  | { readonly kind: "reading"; readonly why: string } // the map can be looked at, not changed
  | { readonly kind: "sending"; readonly what: string } // submitting or skipping
  | { readonly kind: "empty" } // no task is waiting
  | { readonly kind: "failed"; readonly message: string };

export interface DeskEvents {
  opened: TaskDetail;
  phase: Phase;
  save: SaveState;
  scores: undefined;
  /** One sentence for everybody, screen readers included. */
  notice: string;
  /** The answer flipped; in words. */
  flip: string;
  /** Submit was asked for a map that is the model's to the bit. */
  untouched: undefined;
  /** The session has ended: a request was answered with 401. */
  "signed-out": undefined;
  /** There is one again, of this page or of another. */
  "signed-in": undefined;
  /** Submit was asked for a map of zeros. */
  empty: undefined;
  /** The picture has been seen: the map can be submitted, confirmed or skipped. */
  seen: undefined;
  /** A reviewer has corrected the map. */
  corrected: TaskDetail;
}

const taskStateWords: Partial<Record<TaskDetail["state"], string>> = {
  submitted: t("Submitted: it waits for review"),
  approved: t("Approved: it trains the next round"),
  skipped: t("Skipped"),
};

/** How strokes of this browser that the server had not acknowledged stand to what it has, and what it may store yet. */
interface Recovery {
  readonly recovered: "none" | "newer" | "conflict";
  readonly unanswered: readonly string[];
}
const nothing: Recovery = { recovered: "none", unanswered: [] };

export class Desk extends Emitter<DeskEvents> {
  detail: TaskDetail | null = null;
  phase: Phase = { kind: "loading", what: later("Opening the task") };
  /** The answer with the model's own map, and with the map as it is now; null until known. */
  before: Scores | null = null;
  after: Scores | null = null;
  /** Whether `after` is of an earlier map: the last score that was asked for did not come. */
  stale = false;
  /** What the network said after each step, as far as it was asked; null: with its own map. */
  trail = new Map<Step | null, Scores>();
  autosave: Autosave | null = null;
  readonly comparison: Comparison;
  readonly starts: Starts;
  readonly hint: Hint;
  /** What this person submitted last in the project, the last first; each opens again. */
  recent: readonly TaskCard[] = [];
  /** Whether the session has ended: what is painted is kept here until there is one again. */
  signedOut = false;
  /** Whether the picture has been seen (sight.ts): until then it is painted, and nothing is decided. */
  seen = false;
  private drawn = true; // whether it could be shown
  /** Tasks finished since the page was opened. */
  finished = 0;
  private readonly regions: Regions;
  private scores: LiveScores | null = null;
  private lease: LeaseKeeper | null = null;
  private watch = new Stopwatch();
  private baseline: Baseline | null = null; // what the map at hand began with, where that is known
  private nextTake = 0; // when a lost lease may be taken again unasked, ms since the epoch
  private shown = 0; // scores seen of this task
  private beginning = false; // the map is given its first step, which takes no task

  constructor(
    readonly editor: Editor,
    readonly client: Client,
    private readonly journal: Journal,
    /** Who works here. */
    private readonly user: number,
    /** What of the queue is gone on with. */
    readonly selection: Selection = {},
    /** The task is in review, and its reviewer changes the map and approves it. What they paint is kept in the browser until then. */
    readonly correcting = false,
  ) {
    super();
    this.comparison = new Comparison(editor, client);
    this.starts = new Starts(editor, client);
    this.regions = new Regions(editor, client, (words) => this.emit("notice", words));
    this.hint = new Hint(editor, client);
    this.hint.on("shown", () => this.detail && this.journal.noteHints(this.user, this.detail.id, this.hint.times));
    editor.on("values", () => this.rescore(false));
    editor.on("settled", () => {
      this.watch.sign();
      this.lease?.sign();
      this.rescore(true);
      this.autosave?.changed();
      if (this.looking && !this.beginning) void this.take();
    });
    editor.on("command", (command) => {
      if (command === "confirm") void this.confirm();
    });
    editor.on("notice", (words) => this.emit("notice", words));
    client.user = user;
    client.signedOut = (out) => this.knowSession(out);
  }

  get saveState(): SaveState {
    return this.autosave?.state ?? { kind: "untouched" };
  }

  /**
   * Opens a task: to paint where this person holds it, to look at where somebody else does or it is done, and else to look at until the first
   * stroke takes it. What waits for review the first stroke takes back, or where it is only to be looked at (`again` is false) a button.
   */
  async open(detail: TaskDetail, again = true): Promise<void> {
    this.leaveTask();
    if (this.correcting) return this.openToCorrect(detail);
    const why = this.closed(detail, again);
    this.setUp(detail, why);
    if (why && !taskStateWords[detail.state] && this.keeps(detail)) this.watchFor(detail, why);
    if (this.canTakeBack && this.looking) this.emit("notice", t("It waits for review: the first stroke takes it back"));
    await Promise.resolve();
  }

  /** Why a task can only be looked at, in a sentence; "" where it can be painted. */
  private closed(detail: TaskDetail, again: boolean): string {
    const painted = detail.author_id === this.user;
    const theirs = detail.state === "open" && detail.assigned_to !== undefined && detail.assigned_to !== this.user;
    const free = (detail.state === "open" && !theirs) || (detail.state === "changes-requested" && painted) || (detail.state === "submitted" && painted && again);
    const holder = detail.lease?.user_name ?? detail.author_name;
    const mine = detail.state === "leased" && detail.lease?.mine; // in review it is its reviewer's
    if (mine || free) return "";
    return taskStateWords[detail.state] ?? (theirs ? t("Assigned to {name}", { name: detail.assignee_name ?? "" }) : holder ? t("{name} is painting this one", { name: holder }) : t("Somebody else is painting this one"));
  }

  /** Whether this browser keeps strokes of the task that the server does not have, as of who lost it to somebody else. */
  private keeps(detail: TaskDetail): boolean {
    const { document } = this.editor;
    const entry = this.journal.read(detail.id, document.values.length);
    return entry !== null && entry.user === this.user && !sameBits(entry.state, document.state);
  }

  private watching: ReturnType<typeof setInterval> | undefined;

  /** Asks now and then whether a task that somebody else holds is free, and offers the strokes that are kept of it then. */
  private watchFor(detail: TaskDetail, why: string): void {
    this.watching = setInterval(() => {
      void this.client.task(detail.id).then(async (now) => {
        if (this.detail?.id === detail.id && this.phase.kind === "reading" && this.closed(now, false) !== why) await this.open(now, false);
      }).catch(() => undefined); // it is asked again
    }, everyReview);
  }

  /** Opens a map in review for its reviewer to change; it is theirs to judge meanwhile. */
  private async openToCorrect(detail: TaskDetail): Promise<void> {
    let why = detail.state === "submitted" && detail.edit ? "" : (taskStateWords[detail.state] ?? t("Not in review"));
    if (!why) await this.client.claimReview(detail.id).catch((error: unknown) => (why = passing(error) ? "" : sentence(reason(error))));
    this.setUp(detail, why);
    if (!why) this.lease = new LeaseKeeper(() => this.client.renewReview(detail.id), (message) => {
      this.lease?.close();
      this.emit("notice", t("{message}. What you painted is kept in this browser", { message: sentence(message) }));
    }, everyReview);
  }

  /** Asks what this person submitted last. Painting works without it. */
  async knowRecent(): Promise<void> {
    const project = this.detail?.project.slug;
    if (project) this.recent = await this.client.recent(project).catch(() => this.recent);
  }

  /** Opens what was submitted before the task at hand (`older`), or after it, and after the last of them the next task. */
  async step(older: boolean): Promise<void> {
    const at = this.recent.findIndex((card) => card.id === this.detail?.id);
    const to = this.recent[at + (older ? 1 : -1)];
    if (to) await this.openTask(to.id);
    else if (older) this.emit("notice", this.recent.length === 0 ? t("You have submitted nothing in this project yet") : t("That is the oldest of your last ten"));
    else if (at === 0 && (await this.putDown())) await this.next();
  }

  /** Opens a task by its number. */
  async openTask(id: number): Promise<void> {
    if (!(await this.putDown())) return;
    this.emit("notice", ""); // what was said of the task before
    await this.during(later("Opening the task"), () => this.client.task(id), (detail) => this.open(detail));
  }

  /** Whether nobody holds the task: the first stroke takes it. */
  get looking(): boolean {
    return this.saveState.kind === "looking" && !this.correcting;
  }

  /** Takes the task that is only looked at. Strokes that lose the race are kept in the browser, and offered when the task is free. Whether it is held now. */
  take(): Promise<boolean> {
    this.taking ??= this.takeNow().finally(() => (this.taking = null));
    return this.taking;
  }

  private taking: Promise<boolean> | null = null;

  private async takeNow(): Promise<boolean> {
    const { detail, autosave } = this;
    if (!detail || !autosave || !this.looking) return !this.looking;
    try {
      const taken = await (detail.state === "submitted" ? this.client.takeBack(detail.id) : this.client.claim(detail.id));
      if (this.autosave !== autosave) return false; // another task has been opened meanwhile
      if (detail.state === "submitted") this.emit("notice", t("Taken back from review: submit it again when it is ready"));
      this.detail = { ...detail, state: taken.state, ...(taken.lease && { lease: taken.lease }) };
      this.keepLease(detail, autosave);
      autosave.taken(taken.edit);
      if (!autosave.dirty && this.editor.document.history.position > 0) autosave.changed(); // it began with a step
      return true;
    } catch (error) {
      if (this.autosave !== autosave) return false;
      if (this.signedOut) return false; // it is taken once there is a session again
      if (detail.state === "submitted" && error instanceof Problem && error.status === 409 && (await this.ended(detail))) return false; // judged meanwhile
      if (passing(error)) this.emit("notice", t("The studio can't be reached. What you paint is kept here, and the task is taken when the connection is back"));
      else {
        autosave.lose(reason(error));
        this.emit("notice", t("{error}. What you painted is kept in this browser: “Take it again” brings it in once the task is free", { error: sentence(reason(error)) }));
      }
      return false;
    }
  }

  /** Whether this person may take the task's map back from review. */
  get canTakeBack(): boolean {
    return (this.phase.kind === "reading" || this.looking) && this.detail?.state === "submitted" && this.detail.author_id === this.user;
  }

  /** Takes the submitted map back, and goes on painting. */
  async takeBack(): Promise<void> {
    const { detail } = this;
    if (!detail || !this.canTakeBack) return;
    try {
      await this.open(await this.client.takeBack(detail.id));
      this.emit("notice", t("Taken back from review: submit it again when it is ready"));
    } catch (error) {
      this.emit("notice", t("Not taken back: {error}", { error: reason(error) }));
    }
  }

  /** The picture has been drawn, and has stood there for a moment; or it can't be shown, and its map is not submitted. */
  see(drawn = true): void {
    this.seen = true;
    this.drawn = drawn;
    this.emit("seen", undefined);
  }

  /** Whether the task can be submitted or skipped now. */
  mayDecide(): boolean {
    return this.phase.kind === "working" && this.seen;
  }

  /** Hands the map to review and goes on to the next task. A map that is the model's own, or all zero, has to be meant. */
  async submit(meant = false): Promise<void> {
    const { detail, autosave } = this;
    if (!detail || !autosave || !this.mayDecide()) return;
    if (!this.drawn) {
      this.emit("notice", t("The picture can't be shown: reload, or skip this task"));
      return;
    }
    this.editor.document.commit();
    if (this.looking && detail.state === "submitted" && !autosave.dirty) {
      this.emit("notice", t("Unchanged: it stays in review"));
      return this.next();
    }
    if (this.editor.document.source !== "model" && this.editor.document.isModels) {
      this.emit("untouched", undefined);
      return;
    }
    if (!meant && this.editor.document.state.every((v) => v === 0)) {
      this.emit("empty", undefined);
      return;
    }
    if (this.correcting) return this.correct(detail);
    if (this.looking && !((await this.take()) && this.mayDecide())) { // another press may have been first
      if (this.signedOut) this.emit("notice", this.whyUnsaved());
      return;
    }
    this.tellHints();
    const here = this.whileHere();
    this.become({ kind: "sending", what: later("Submitting") });
    // The next task is asked for meanwhile, which saves the hand a wait. If this one is not submitted after all, the next one stays
    // taken for as long as a lease lasts, and comes first when it is asked for again. Why there is none is told then, too.
    const following = this.client.next(detail.project.slug, this.selection, detail.id).catch(() => null);
    if (!(await autosave.flush())) {
      this.backToWork(detail, this.whyUnsaved(autosave), here());
      return;
    }
    let submitted: TaskDetail;
    try {
      submitted = await this.client.submit(detail.id, autosave.revision);
    } catch (error) {
      this.backToWork(detail, t("Not submitted: {error}", { error: reason(error) }), here());
      if (!here()) return;
      if (error instanceof Problem && error.current) autosave.startConflict(error.current);
      else if (error instanceof Problem && error.status === 409) autosave.lose(error.message); // as a save's
      return;
    }
    this.finished++;
    this.tell(detail, detail.project.feedback === "submitted" ? answered(submitted) : t("Submitted for review"), here());
    if (here()) await this.next(following);
  }

  /** What the reviewer who corrects the map has said of it on the review page, which is sent with it; empty for who paints. */
  get said(): Said {
    return this.correcting && this.detail?.edit ? this.journal.said(this.user, this.detail.edit.id) : {};
  }

  /** Puts the map in the place of the submitted one, with the words that the reviewer wrote before. */
  private async correct(detail: TaskDetail): Promise<void> {
    const { edit } = detail;
    const { document } = this.editor;
    if (!edit) return;
    if (sameBits(document.state, stateFromWire(edit.map))) {
      this.emit("notice", t("You have changed nothing: approve the map as it is on the page Review"));
      return;
    }
    const here = this.whileHere();
    this.become({ kind: "sending", what: later("Approving") });
    const { body } = new Baseline(document, edit).draft(document, edit.revision, false);
    const { said } = this;
    const begun = JSON.stringify(document.origin) === JSON.stringify(edit.origin) || !edit.origin ? {} : { origin: document.origin };
    let corrected: TaskDetail;
    try {
      corrected = await this.client.correct(detail.id, edit.id, {
        base_revision: edit.revision, source: document.source, ...body, ...begun, provenance: this.provenance(detail, document), ...said,
      });
    } catch (error) {
      this.backToWork(detail, t("Not approved: {error}. What you painted is kept in this browser", { error: reason(error) }), here());
      return;
    }
    this.journal.remove(detail.id);
    this.journal.removeSaid(this.user, edit.id);
    this.leaveTask();
    this.emit("corrected", corrected);
  }

  /** The page of a map that is being corrected goes away: it is free for others to judge. */
  leaveReview(): void {
    if (this.correcting && this.lease && this.detail) void this.client.releaseReview(this.detail.id).catch(() => undefined);
  }

  /** Goes back to the page Review, with the map still one's own to judge. */
  keepReview(): void {
    this.leave();
    this.lease?.close();
    this.lease = null;
  }

  /** Submits the model's own map, confirmed as it is. */
  async submitModels(): Promise<void> {
    this.comparison.show("edited");
    this.editor.whole("model");
    await this.submit(true);
  }

  /** The map as the model has it is fine: submits it. A map that somebody has changed is not meant. */
  async confirm(): Promise<void> {
    if (!this.mayDecide()) return;
    if (!this.editor.document.isModels) {
      this.emit("notice", t("You have changed this map: Ctrl+Enter submits it, undo leads back to the model's"));
      return;
    }
    await this.submitModels();
  }

  skip(why: string): Promise<void> {
    return this.putAside(later("Skipping"), t("Skipped"), t("Not skipped"), (detail) => this.client.skip(detail.id, why));
  }

  /** Says that the task's label is wrong, which puts it aside until a reviewer has decided. */
  questionLabel(request: LabelRequest): Promise<void> {
    return this.putAside(later("Asking a reviewer"), t("Sent to a reviewer"), t("Not sent to a reviewer"), (detail) => this.client.questionLabel(detail.image.id, request));
  }

  /** Saves what is unsaved, ends the task in some other way than by submitting, and goes on to the next. */
  private async putAside(what: string, done: string, undone: string, end: (detail: TaskDetail) => Promise<unknown>): Promise<void> {
    const { detail, autosave } = this;
    if (!detail || !this.mayDecide()) return;
    if (this.looking && !((await this.take()) && this.mayDecide())) return;
    const here = this.whileHere();
    this.become({ kind: "sending", what });
    if (autosave && !(await autosave.flush())) {
      this.backToWork(detail, this.whyUnsaved(autosave), here());
      return;
    }
    try {
      await end(detail);
    } catch (error) {
      this.backToWork(detail, t("{what}: {error}", { what: undone, error: reason(error) }), here());
      return;
    }
    this.finished++;
    this.tell(detail, done, here());
    if (here()) await this.next();
  }

  /** Gives the task back to the queue; what was painted stays with it. Whether that was done. */
  async release(): Promise<boolean> {
    const { detail, autosave } = this;
    if (!detail || this.phase.kind !== "working") return false;
    this.editor.document.commit();
    if (this.looking) { // there is nothing to give back
      this.leaveTask();
      return true;
    }
    this.tellHints();
    const here = this.whileHere();
    this.become({ kind: "sending", what: later("Putting back") });
    if (autosave && !(await autosave.flush())) {
      this.backToWork(detail, this.whyUnsaved(autosave), here());
      return false;
    }
    try {
      await this.client.release(detail.id);
    } catch (error) {
      this.backToWork(detail, t("Not put back: {error}", { error: reason(error) }), here());
      return false;
    }
    if (here()) this.leaveTask();
    return true;
  }

  /** Leases and opens the next task of the project: `following`, if it was asked for before and there is one. */
  async next(following?: Promise<TaskDetail | null>): Promise<void> {
    const project = this.detail?.project.slug ?? this.project;
    if (!project) return;
    await this.during(later("Fetching the next task"), async () => (await following) ?? this.client.next(project, this.selection), async (detail) => {
      if (detail) await this.open(detail);
      else {
        this.leaveTask();
        this.become({ kind: "empty" });
      }
    });
  }

  /**
   * Takes a task whose lease was lost again, and saves what is unsaved. The desk does so by itself when a lease ran out
   * while nobody else wanted the task; `byItself` keeps quiet if that fails, and does not try again for a minute.
   */
  async takeAgain(byItself = false): Promise<void> {
    const { detail, autosave } = this;
    if (!detail || !autosave || (byItself && Date.now() < this.nextTake)) return;
    this.nextTake = Date.now() + 60_000;
    try {
      await this.client.claim(detail.id);
      if (!autosave.dirty) autosave.changed(); // else nothing would be saved, and the loss would stand
      autosave.resume();
    } catch (error) {
      if (error instanceof Problem && error.status === 409 && (await this.ended(detail))) return;
      if (!byItself) this.emit("notice", t("Not taken: {error}", { error: reason(error) }));
    }
  }

  /** Whether a task that cannot be taken again has ended, as where another window has submitted it: it is then looked at as it is now. */
  private async ended(detail: TaskDetail): Promise<boolean> {
    const now = await this.client.task(detail.id).catch(() => null);
    const words = now && taskStateWords[now.state];
    if (!words || this.detail?.id !== detail.id) return false;
    const unsaved = this.autosave?.dirty;
    await this.open(now, false);
    this.emit("notice", unsaved ? t("{what}. What was painted in this window since then is kept in this browser", { what: words }) : words);
    return true;
  }

  /** The two versions of a conflict, to be made into one; null: there is none. */
  merge(): Merge | null {
    const state = this.saveState;
    return state.kind === "conflict" ? new Merge(this.editor.document.state.slice(), stateFromWire(state.current.map), this.baseline?.state ?? null) : null;
  }

  /** Ends a conflict. Theirs, or what was merged, becomes a step on top of mine, so that undo still leads back to it. */
  resolve(side: "mine" | "theirs" | Merge): void {
    const state = this.saveState;
    if (state.kind !== "conflict" || !this.autosave) return;
    if (side !== "theirs") {
      if (side instanceof Merge) {
        const { document } = this.editor;
        const merged = side.state();
        document.replace(t("Merged with {name}", { name: state.current.author }), merged.subarray(0, document.values.length), "painted", false, merged.subarray(document.values.length));
      }
      this.autosave.keepMine();
      if (this.looking) void this.take(); // as another window may have submitted it
      return;
    }
    const { autosave } = this;
    this.autosave = null; // loading the saved map must not count as a change
    const { map } = state.current;
    this.editor.document.replace(later("Other version"), fromWire(map), sourceOf(state.current), false, marksFromWire(map.marks, map.values.length), state.current.origin ?? this.editor.document.origin);
    this.autosave = autosave;
    autosave.keptTheirs();
    this.baseline = null; // what both began with is another revision now
  }

  /** The connection is back. */
  online(): void {
    if (this.looking && this.autosave?.dirty) void this.take();
    this.autosave?.resume();
    this.comparison.retry();
    this.hint.retry();
    if (this.stale) this.rescore(true);
  }

  private knowSession(out: boolean): void {
    this.signedOut = out;
    this.emit(out ? "signed-out" : "signed-in", undefined);
    if (out) return;
    this.emit("notice", ""); // what was said of the session that had ended
    this.online();
    this.rescore(true);
  }

  /** Saves at once: the page was hidden, or somebody asked for it. */
  saveNow(): void {
    if (!this.editor.busy) void this.autosave?.flush();
  }

  /** The page is being left. */
  leave(): void {
    this.editor.document.commit();
    this.editor.keepView();
    this.autosave?.leave();
  }

  /** Whether leaving the page now could lose something: unsaved, and the browser would not keep it either. */
  get wouldLose(): boolean {
    return this.autosave !== null && this.autosave.dirty && !this.autosave.journaled;
  }

  private project: string | undefined;

  private setUp(detail: TaskDetail, readOnly: string): void {
    this.detail = detail;
    this.seen = false;
    this.project = this.client.project = detail.project.slug;
    const model = fromWire(detail.prediction.map);
    const { h, w } = detail.prediction.map;
    const edit = detail.edit;
    const saved = edit ? stateFromWire(edit.map) : model;
    const document = new MapDocument(h, w, model, saved, { kind: "model", version_id: detail.version.id, version: detail.version.number });
    if (edit) [document.source, document.origin] = [sourceOf(edit), edit.origin ?? document.origin];
    this.restore(document, edit?.history);
    const { recovered, unanswered } = readOnly ? nothing : this.recover(document, detail);
    this.editor.readOnly = readOnly !== "";
    this.comparison.open(detail);
    this.starts.open(detail);
    this.regions.open(detail);
    this.told = edit?.hints?.help ?? 0;
    this.hint.open(detail, Math.max(this.told, this.journal.hints(this.user, detail.id)));
    this.editor.open(document, { region: detail.view, whole: oriented(detail.image, detail.view) });
    this.before = this.after = null;
    this.stale = false;
    this.shown = 0;
    this.watch = new Stopwatch();
    this.nextTake = 0;
    this.startScores(detail, document);
    if (!readOnly) this.startSaving(detail, document, edit, recovered, unanswered);
    const begun = !readOnly && recovered === "none" && this.begin(detail, document);
    this.emit("opened", detail);
    const kept = this.correcting || !readOnly || !this.keeps(detail) ? "" : taskStateWords[detail.state] ? t("{why}. Strokes of yours that were not saved are kept in this browser", { why: readOnly }) : t("{why}. Strokes of yours are kept in this browser, and offered when the task is free", { why: readOnly });
    this.become(readOnly ? { kind: "reading", why: kept || readOnly } : { kind: "working" });
    this.emit("save", this.saveState);
    if (recovered === "newer") this.emit("notice", t("Strokes that had not been saved are back"));
    if (begun) this.emit("notice", t("You begin with what is known of the object; undo leads to the model's map"));
    if (detail.start?.problem) this.emit("notice", t("You begin with the model's map: {problem}", { problem: detail.start.problem }));
  }

  /** An untouched map begins as the project says: a first step on top of the model's map, which undo takes back. Whether it did. */
  private begin(detail: TaskDetail, document: MapDocument): boolean {
    const start = detail.start;
    if (detail.edit || !start?.map) return false;
    this.beginning = true;
    const clicks = start.method === "clicks";
    document.startFrom(clicks ? later("From the clicks") : later("From the mask"), fromWire(start.map), { kind: clicks ? "clicks" : "mask", method: start.method, radius: start.radius });
    this.beginning = false;
    return true;
  }

  private told = 0; // how many hints of the task the server knows of

  /** Before the map goes out of hand: a hint that was shown since the last save has one of its own. */
  private tellHints(): void {
    const { autosave } = this;
    if (autosave && autosave.revision > 0 && !autosave.dirty && this.hint.times > this.told) autosave.changed();
  }

  private restore(document: MapDocument, wire: unknown): void {
    const history = decodeHistory(wire, document.state) ?? decodeHistory(wire, document.values);
    if (!history) return;
    document.history.restore(history.steps, history.position, history.dropped);
    document.origin = document.history.origin ?? document.origin;
  }

  /** Puts unacknowledged strokes of this browser back. */
  private recover(document: MapDocument, detail: TaskDetail): Recovery {
    const entry = this.journal.read(detail.id, document.values.length);
    if (!entry || (entry.user !== 0 && entry.user !== this.user)) return nothing;
    const revision = detail.edit?.revision ?? 0;
    // The server stores a save whose page is gone before or after it tells this page what it has.
    const unanswered = entry.base === revision ? entry.unanswered : [];
    const sameSource = entry.source === document.source;
    const saved = document.state.slice();
    if (sameBits(entry.state, saved) && sameSource) {
      // A save made while the page was closing has fewer undo steps than the journal.
      if (entry.history.steps.length > document.history.steps.length) this.restore(document, entry.history);
      this.journal.remove(detail.id);
      return { recovered: "none", unanswered };
    }
    document.state.set(entry.state);
    document.source = entry.source;
    this.restore(document, entry.history);
    const continues = entry.base === revision || (detail.edit !== undefined && answersTo(entry.unanswered, detail.edit));
    return { recovered: continues ? "newer" : "conflict", unanswered };
  }

  private startSaving(detail: TaskDetail, document: MapDocument, edit: Edit | undefined, recovered: Recovery["recovered"], unanswered: readonly string[]): void {
    const baseline = new Baseline(document, edit);
    this.baseline = recovered === "conflict" ? null : baseline; // what came back from this browser began with a revision that is not here
    const send = async (d: MapDocument, base: number, last: boolean): Promise<Edit> => {
      const { body, saved } = baseline.draft(d, base, last);
      try {
        const made = await this.client.save(detail.id, { base_revision: base, source: d.source, ...body, origin: d.origin, provenance: this.provenance(detail, d) }, last);
        this.told = made.hints?.help ?? 0;
        if (this.told >= this.hint.times) this.journal.noteHints(this.user, detail.id, 0);
        return saved(made) || !body.changes ? made : await send(d, made.revision, last); // the whole, where the changes made another map
      } catch (error) {
        if (!body.changes || !(error instanceof Problem) || error.status !== 422) throw error;
        baseline.forget(); // the changes fit nothing that the server has
        return send(d, base, last);
      }
    };
    const autosave = new Autosave(detail.id, this.user, document, edit?.revision ?? 0, this.journal, send, unanswered);
    let outside = false; // said once, though it is tried again
    autosave.on("state", (state) => {
      this.emit("save", state);
      if (state.kind === "saved" && this.stale) this.rescore(true); // the studio answers again
      if (state.kind === "outside" && !outside) this.emit("notice", this.whyUnsaved());
      if (state.kind !== "saving") outside = state.kind === "outside";
      if (state.kind === "lost") void this.takeAgain(true);
    });
    this.autosave = autosave;
    if (detail.lease?.mine && !this.correcting) this.keepLease(detail, autosave);
    else autosave.look();
    if (recovered === "newer") autosave.changed();
    if (recovered === "conflict" && edit) autosave.startConflict(edit);
  }

  private keepLease(detail: TaskDetail, autosave: Autosave): void {
    this.lease?.close();
    this.lease = new LeaseKeeper(() => this.client.renew(detail.id), (message) => autosave.lose(message));
  }

  /** Scores the model's own map once, which also warms the image's features, and then every change. */
  private startScores(detail: TaskDetail, document: MapDocument): void {
    this.trail = new Map();
    if (detail.project.feedback !== "live") return; // the studio would refuse
    const ask = async (state: Float32Array, signal?: AbortSignal) => {
      const step = state === document.model ? (detail.edit ? undefined : null) : document.stroking ? undefined : document.history.last;
      const scores = await this.client.score(detail.id, wireMap(document.rows, document.columns, state), signal);
      if (step !== undefined) this.trail.set(step, scores);
      return scores;
    };
    const scores = (this.scores = new LiveScores(ask));
    scores.on("scores", (s) => this.scored(s));
    scores.on("failed", (error) => {
      if (error instanceof Problem && error.status === 403) return void this.withhold(detail, error);
      if (!passing(error) && !this.signedOut) this.emit("notice", t("No score: {error}", { error: reason(error) }));
      this.stale = true;
      this.emit("scores", undefined);
    });
    ask(document.model).then(
      (s) => {
        if (this.scores !== scores) return;
        this.before = s;
        if (!this.after && document.isModels) this.after = s;
        this.emit("scores", undefined);
      },
      () => undefined, // the stored prediction is shown instead
    );
    if (!document.isModels) scores.changed(() => document.state, true);
  }

  /** The project may have ceased to tell what the network says to a map that is painted: what it has said goes, too. */
  private async withhold({ id }: TaskDetail, refusal: Problem): Promise<void> {
    const now = await this.client.task(id).catch(() => null);
    if (this.detail?.id !== id || !now) return;
    const { feedback } = now.project;
    if (feedback === "live") {
      this.emit("notice", t("No score: {error}", { error: reason(refusal) }));
      return;
    }
    this.scores?.close();
    this.scores = this.before = this.after = null;
    this.stale = false;
    this.trail = new Map();
    this.detail = { ...this.detail, project: now.project };
    this.emit("scores", undefined);
    this.emit("flip", "");
    this.emit("notice", feedback === "submitted" ? t("From now on this project tells what the network says only once a map is submitted") : t("From now on this project does not show what the network says to a map"));
  }

  private rescore(final: boolean): void {
    if (!this.detail) return;
    const { document } = this.editor;
    this.scores?.changed(() => document.state, final);
  }

  private scored(scores: Scores): void {
    const was = (this.after ?? this.before)?.top[0]?.class ?? this.detail?.prediction.class;
    this.after = scores;
    this.stale = false;
    this.shown++;
    this.emit("scores", undefined);
    const now = scores.top[0];
    if (!now || was === undefined || now.class === was) return;
    const label = this.detail?.image.label;
    const judged = label === undefined ? t("now: {class}", { class: now.name }) : now.class === label ? t("now right: {class}", { class: now.name }) : was === label ? t("now wrong: {class}", { class: now.name }) : t("still wrong: {class}", { class: now.name });
    this.emit("flip", judged);
  }

  private provenance(detail: TaskDetail, document: MapDocument): unknown {
    return {
      editor: 1,
      source_map: detail.edit ? `revision ${detail.edit.revision}` : "model",
      strokes: Object.fromEntries(document.tally),
      ...(document.segmenters.size > 0 && { segmenters: [...document.segmenters] }),
      ...(this.hint.times > 0 && { hints: { help: this.hint.times } }),
      seconds: this.watch.seconds,
      feedback: { kind: detail.project.feedback, shown: this.shown }, // answers to a map that was being painted
    };
  }

  /** Saves what is unsaved before another task is opened; false if that failed (and said so). */
  private async putDown(): Promise<boolean> {
    this.editor.document.commit();
    if (!this.autosave?.dirty) return true;
    await this.autosave.flush();
    return true; // changes that could not be saved are in the journal, and are restored with the task
  }

  private leaveTask(): void {
    this.editor.cancel();
    this.comparison.close();
    this.starts.close();
    this.regions.close();
    this.hint.close();
    this.scores?.close();
    this.autosave?.close();
    this.lease?.close();
    clearInterval(this.watching);
    this.scores = this.autosave = this.lease = null;
  }

  private asked = 0; // how often something was asked to be opened

  /** Asks for a task and shows it, unless another was asked for meanwhile, as by two quick steps through the browser's history: the last is shown. */
  private async during<T>(what: string, ask: () => Promise<T>, show: (answer: T) => Promise<void>): Promise<void> {
    const asked = ++this.asked;
    this.become({ kind: "loading", what });
    try {
      const answer = await ask();
      if (asked === this.asked) await show(answer);
    } catch (error) {
      if (asked === this.asked) this.become({ kind: "failed", message: t("{what} failed: {error}", { what: said(what), error: reason(error) }) });
    }
  }

  /** Whether nothing else has been asked to be opened since: who has gone elsewhere while a map is sent is not fetched back. */
  private whileHere(): () => boolean {
    const { asked } = this;
    return () => asked === this.asked;
  }

  private backToWork(detail: TaskDetail, notice: string, here: boolean): void {
    if (here) this.become({ kind: "working" });
    this.tell(detail, notice, here);
  }

  /** Says what has become of a task, and of which, where another is at hand by now. */
  private tell({ id, label_name: truth, image }: TaskDetail, words: string, here: boolean): void {
    this.emit("notice", here ? words : t("Task {task}, {class}: {words}", { task: String(id), class: truth || baseName(image.name), words }));
  }

  private whyUnsaved(autosave = this.autosave): string {
    const state: SaveState | undefined = this.signedOut ? { kind: "signed-out" } : autosave?.state;
    switch (state?.kind) {
      case "conflict":
        return t("Choose between the two versions first");
      case "lost":
        return t("Not saved: {message}", { message: state.message });
      case "signed-out":
        return t("Your session has ended: sign in again, then submit");
      case "outside":
        return t("Not saved: {message}. What you painted is kept in this browser", { message: state.message });
      case "refused":
        return t("Not saved: {message}", { message: state.message });
      default:
        return t("The studio can't be reached. The map is kept here: submit again when the connection is back");
    }
  }

  private become(phase: Phase): void {
    this.phase = phase;
    this.editor.readOnly = phase.kind !== "working"; // a stroke made while the task is submitted would be lost
    this.emit("phase", phase);
  }
}

const sourceOf = (edit: Edit): "painted" | "model" => (edit.source === "model" ? "model" : "painted");

/** What the network says to a submitted map, in words. */
function answered({ edit, image, project }: TaskDetail): string {
  const now = edit?.after?.top[0];
  if (!now) return t("Submitted for review");
  const [truth, digits] = [image.label, digitsFor(now.probability)];
  const share = truth === undefined || now.class === truth ? "" : `, ${project.classes[truth]?.name ?? t("class {class}", { class: truth })} ${probability(edit.after?.probabilities[truth] ?? 0, digits)}`;
  return t("Submitted. With this map the network says {answer}", { answer: `${now.name} (${probability(now.probability, digits)})${share}` });
}

const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
