// One map in review: its part of the page, who has it to judge, and the verdict on it.
import type { Client } from "../editor/src/api/client.ts";
import { passing, Problem, reason } from "../editor/src/api/problem.ts";
import type { ReviewRequestBody } from "../editor/src/api/schema.d.ts";
import { everyReview, LeaseKeeper } from "../editor/src/lease.ts";
import { type Choice, choiceKey, wordsKey } from "../editor/src/save/journal.ts";
import { seen } from "../editor/src/sight.ts";
import { OtherMethods } from "./methods.ts";
import { Panes } from "./panes.ts";
import { t } from "../editor/src/words.ts";
import { Pins } from "./pins.ts";
import { Replay } from "./replay.ts";

type Reason = NonNullable<ReviewRequestBody["reasons"]>[number];
export type Verdict = "approve" | "reject";

export interface Actions {
  judge(desk: ReviewDesk, verdict: Verdict): void;
  /** Goes on without a verdict. */
  later(desk: ReviewDesk): void;
  /** The map was only looked at, and is this person's to judge now. */
  taken(desk: ReviewDesk): void;
}

/** What was kept of a verdict: one that has not arrived yet, or one that was given in this window and taken back, which waits again. */
function remembered(key: string): string | null {
  const given = sessionStorage.getItem(key);
  if (given !== null) {
    localStorage.setItem(key, given);
    sessionStorage.removeItem(key);
  }
  return localStorage.getItem(key);
}

export class ReviewDesk {
  readonly task: number;
  readonly edit: number;
  readonly panes: Panes;
  readonly methods: OtherMethods;
  readonly pins: Pins;
  readonly replay: Replay;
  /** The page's address while this map is on it. */
  address: string;
  /** Whether this person has the map to judge. */
  held: boolean;
  private readonly form: HTMLFormElement | null;
  private readonly comment: HTMLTextAreaElement | null;
  private readonly buttons: HTMLButtonElement[];
  private readonly boxes: HTMLInputElement[]; // of the reasons
  private readonly kept: string; // where the comment is kept until the verdict has arrived
  private readonly keptChoice: string; // where reasons and pins are
  private lease: LeaseKeeper | null = null;
  private taking: Promise<void> | null = null;
  private seen = false;
  private sent = false; // one verdict is sent once

  constructor(readonly root: HTMLElement, private readonly client: Client, private readonly actions: Actions) {
    this.task = Number(root.dataset["desk"]);
    this.address = root.dataset["address"] ?? location.pathname;
    this.held = root.dataset["held"] === "mine";
    this.panes = new Panes(root, (x, y) => this.methods.read(x, y));
    this.methods = new OtherMethods(root, this.panes);
    this.pins = new Pins(root, this.panes, () => this.chosen());
    this.replay = new Replay(root, client, this.task);
    this.form = root.querySelector("[data-verdict]");
    this.edit = Number(this.form?.querySelector<HTMLInputElement>("input[name=edit]")?.value);
    this.comment = this.form?.querySelector("textarea") ?? null;
    this.buttons = [...(this.form?.querySelectorAll<HTMLButtonElement>("button[name=verdict]") ?? [])];
    this.boxes = [...(this.form?.querySelectorAll<HTMLInputElement>("input[name=reason]") ?? [])];
    this.kept = wordsKey(root.dataset["user"] ?? "", this.edit);
    this.keptChoice = choiceKey(root.dataset["user"] ?? "", this.edit);
    for (const button of this.buttons) button.setAttribute("aria-disabled", "true");
    this.listen();
    if (this.held) this.keep();
  }

  /** What the reviewer has written. */
  get words(): string {
    return this.comment?.value.trim() ?? "";
  }

  /** The reasons that the reviewer has chosen. */
  get reasons(): Reason[] {
    return this.boxes.filter((box) => box.checked).map((box) => box.value as Reason);
  }

  /** Presses the reason of a key, from 1. Whether there is one. */
  choose(key: string): boolean {
    const box = this.boxes[Number(key) - 1];
    box?.click();
    return box !== undefined;
  }

  /** An address in the order in which this map came, beside which the task judged before can be taken back. */
  place(path: string, judged: number): string {
    const query = new URLSearchParams({ judged: String(judged) });
    const order = this.root.dataset["order"];
    if (order && order !== "oldest") query.set("order", order);
    return `${path}?${query}`;
  }

  /** Its pictures are decoded, so that they are drawn at once when their turn comes. */
  async decoded(): Promise<void> {
    await Promise.all([...this.root.querySelectorAll<HTMLImageElement>(".panes:not([hidden]) img")].map((picture) => picture.decode()));
  }

  /** The map is on the page now: it can be judged once it has been seen. */
  async show(): Promise<void> {
    if (this.comment && this.comment.value === "") this.comment.value = remembered(this.kept) ?? "";
    this.recall();
    try {
      await seen(this.decoded(), () => (this.root.dataset["drawn"] = "true"));
    } catch {
      if (this.form) this.tell(t("A picture can't be shown: reload the page before you judge."));
      return;
    }
    this.seen = true;
    for (const button of this.buttons) button.removeAttribute("aria-disabled");
  }

  /** Presses the button of a verdict, as its key does. Whether there is one. */
  press(verdict: Verdict): boolean {
    if (this.seen && !this.sent) this.buttons.find((button) => button.value === verdict)?.click();
    return this.buttons.length > 0;
  }

  /** Says something about the verdict, over what is above its buttons: nothing moves under a hand that is about to press one. */
  tell(words: string): void {
    this.root.querySelector("[data-told]")?.remove();
    const notice = document.createElement("p");
    notice.className = "notice notice-bad verdict-told";
    notice.role = "alert";
    notice.dataset["told"] = "";
    notice.textContent = words;
    notice.addEventListener("click", () => notice.remove());
    (this.root.querySelector(".verdict-row, .beside-verdict") ?? this.form ?? this.root).prepend(notice);
  }

  /** The verdict has arrived. */
  judged(): void {
    for (const key of [this.kept, this.keptChoice]) { // should the verdict be taken back, its words are there again
      const words = localStorage.getItem(key);
      if (words !== null) sessionStorage.setItem(key, words);
      localStorage.removeItem(key);
    }
    this.close();
  }

  /** Reasons or pins were changed: they are kept until the verdict has arrived, as the comment is. */
  private chosen(): void {
    this.comment?.setCustomValidity("");
    const choice: Choice = { reasons: this.reasons, pins: this.pins.pins };
    if (choice.reasons.length > 0 || choice.pins.length > 0) localStorage.setItem(this.keptChoice, JSON.stringify(choice));
    else localStorage.removeItem(this.keptChoice);
    void this.take();
  }

  /** Brings reasons and pins back that were kept. */
  private recall(): void {
    if (!this.form) return;
    const kept = remembered(this.keptChoice);
    if (!kept) return;
    const { reasons, pins } = JSON.parse(kept) as Choice;
    if (this.reasons.length === 0) for (const box of this.boxes) box.checked = reasons.includes(box.value as Reason);
    this.pins.restore(pins);
  }

  /** The verdict did not arrive, which is said: it can be given again. */
  refused(words = ""): void {
    this.sent = false;
    for (const button of this.buttons) button.removeAttribute("aria-disabled");
    if (words) this.tell(words);
  }

  /** The notice that says what was judged, and takes it back. */
  notice(verdict: Verdict): Node[] {
    const template = this.root.querySelector<HTMLTemplateElement>(`template[data-judged="${verdict}"]`);
    return template ? [template.content.cloneNode(true)] : [];
  }

  /** Takes the map to judge, if nobody has it: it was only looked at. `again`: even if it seems to be this person's. */
  take(again = false): Promise<void> {
    if ((this.held && !again) || !this.form || this.sent) return Promise.resolve();
    this.taking ??= this.takeNow().finally(() => (this.taking = null));
    return this.taking;
  }

  /** The person is there. */
  sign(): void {
    this.lease?.sign();
  }

  /** Leaves the map for others. */
  release(): void {
    if (this.held) this.client.releaseReview(this.task).catch(() => undefined); // it is free in a while, then
    this.held = false;
    this.close();
  }

  close(): void {
    this.lease?.close();
    this.replay.close();
    this.methods.close();
  }

  private async takeNow(): Promise<void> {
    try {
      await this.client.claimReview(this.task);
    } catch (error) {
      if (!passing(error)) this.tell(t("{error}. What you wrote is kept here.", { error: sentence(reason(error)) }));
      return;
    }
    this.held = true;
    this.say("");
    this.root.querySelector("[data-told]")?.remove();
    this.keep();
    this.actions.taken(this);
  }

  /** Keeps the map for as long as the person is there. A lease that ran out while nobody else wanted the map is taken again. */
  private keep(): void {
    this.lease?.close();
    const renew = async () => {
      try {
        await this.client.renewReview(this.task);
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 409) throw error;
        await this.client.claimReview(this.task);
      }
    };
    this.lease = new LeaseKeeper(renew, (message) => {
      this.lease?.close();
      this.held = false;
      this.say("");
      this.tell(t("{error}. What you wrote is kept here.", { error: sentence(message) }));
    }, everyReview);
  }

  /** What was told of the verdict is past. */
  forgive(): void {
    this.comment?.setCustomValidity("");
    if (!this.sent) this.root.querySelector("[data-told]")?.remove();
  }

  private say(words: string): void {
    const hand = this.root.querySelector("[data-hand]");
    if (hand) hand.textContent = words;
  }

  private listen(): void {
    const { form, comment } = this;
    this.root.querySelector("[data-later]")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.actions.later(this);
    });
    // The editor has the map to judge then: it is not left with this page.
    this.root.querySelector("[data-correct]")?.addEventListener("click", () => {
      this.held = false;
      this.close();
    });
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      const verdict = (event.submitter as HTMLButtonElement | null)?.value;
      if (!this.seen || this.sent || (verdict !== "approve" && verdict !== "reject")) return;
      if (verdict === "reject" && comment && this.words === "" && this.reasons.length === 0 && this.pins.pins.length === 0) {
        const missing = t("Choose a reason, pin a cell, or say what should change: it goes back to its author.");
        comment.setCustomValidity(missing);
        this.tell(missing); // the keys stay with the page: 1 to 5 choose a reason
        return;
      }
      this.sent = true;
      for (const button of this.buttons) button.setAttribute("aria-disabled", "true");
      this.actions.judge(this, verdict);
    });
    for (const button of form?.querySelectorAll("button") ?? []) button.addEventListener("click", () => this.forgive()); // before it is validated
    comment?.addEventListener("input", () => {
      this.forgive();
      if (this.words) localStorage.setItem(this.kept, comment.value);
      else localStorage.removeItem(this.kept);
      void this.take();
    });
    for (const box of this.boxes) {
      box.addEventListener("change", () => this.chosen());
    }
    comment?.addEventListener("keydown", (event) => {
      if (event.key === "Escape") comment.blur(); // back to the keys
    });
  }
}

export const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
