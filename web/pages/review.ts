// The review page: A and X judge, 1 to 5 say why, and the next map is there at once. It is fetched and taken ahead, and put in the place of the one before
// without a new page; address and history are kept as pages would.
import { Client } from "../editor/src/api/client.ts";
import { Problem, reason } from "../editor/src/api/problem.ts";
import { type Actions, ReviewDesk, type Verdict } from "./desk.ts";
import { onKey, typing } from "./keys.ts";
import { drawMaps, mapOpacity } from "./maps.ts";
import { SignInDialog } from "../editor/src/ui/sign_in.ts";
import { t } from "../editor/src/words.ts";

const client = new Client((request, init) => fetch(request, init));
client.project = location.pathname.split("/")[2] ?? "";
const held = { held: true }; // of a place in the history: its map was taken to judge, and is taken again when the page comes back
const project = location.pathname.split("/").slice(0, 4).join("/"); // /projects/birds/review

class Session {
  private current: ReviewDesk;
  private ahead: Promise<ReviewDesk | null> = Promise.resolve(null); // what comes next, taken already
  private next: ReviewDesk | null = null; // the same, once it is here
  private aheadOf: ReviewDesk | null = null; // after which map it comes
  private settled: Promise<boolean> = Promise.resolve(true); // whether the verdict before has arrived
  private readonly status = document.createElement("p");
  private readonly actions: Actions = {
    judge: (desk, verdict) => void this.judge(desk, verdict),
    later: (desk) => void this.later(desk),
    taken: (desk) => {
      if (desk === this.current && this.aheadOf !== desk) this.lookAhead();
    },
  };

  constructor(root: HTMLElement) {
    this.current = new ReviewDesk(root, client, this.actions);
    this.status.className = "visually-hidden";
    this.status.role = "status";
    document.body.append(this.status);
  }

  begin(): void {
    const wasHeld = (history.state as typeof held | null)?.held;
    if (wasHeld && this.current.root.dataset["held"] !== "other") void this.current.take(true); // the page before has left it
    this.remember();
    void this.current.show();
    this.lookAhead();
  }

  key(key: string, event: KeyboardEvent): boolean {
    if (key === "a" || key === "x") return event.repeat || this.current.press(key === "a" ? "approve" : "reject");
    if (/^[1-9]$/.test(key) && !event.repeat) return this.current.choose(key);
    if (key === "p") return this.current.pins.focus();
    if (key === "r") return event.repeat || this.current.replay.press();
    if (key === "m") return this.current.methods.next();
    if (key === "0") return (this.current.panes.reset(), true);
    return false;
  }

  /** There is a session again. */
  signedIn(): void {
    this.current.forgive();
    if (!this.next) this.lookAhead();
  }

  sign(): void {
    this.current.sign();
    this.next?.sign();
  }

  /** The page is being left: what is not judged is free for others. */
  leave(): void {
    this.current.release();
    this.next?.release();
  }

  /** Sends a verdict, and shows the next map meanwhile. If the verdict is refused, its map comes back with all that was written. */
  async judge(desk: ReviewDesk, verdict: Verdict): Promise<void> {
    if (!(await this.settled)) { // its map has come back, and comes first
      desk.refused();
      return;
    }
    const sent = client.judge(desk.edit, { verdict, ...(desk.words && { comment: desk.words }), ...(desk.reasons.length > 0 && { reasons: desk.reasons }), ...(desk.pins.pins.length > 0 && { pins: desk.pins.pins }) }).then(() => null, (error: unknown) => why(error));
    this.settled = sent.then((problem) => problem === null);
    const { next } = this;
    if (next) this.follow(desk, verdict, next);
    const problem = await sent;
    if (problem !== null) {
      if (next) this.comeBack(desk, next);
      desk.refused(problem);
      this.settled = Promise.resolve(true); // it is there to be judged again
      return;
    }
    desk.judged();
    if (next) {
      allowRetract(next, true);
      this.lookAhead();
      return;
    }
    const found = (await this.ahead) ?? (await this.fetchNext(desk, []));
    if (!found) {
      location.assign(desk.place(project, desk.task));
      return;
    }
    this.follow(desk, verdict, found);
    allowRetract(found, true);
    this.lookAhead();
  }

  /** Goes on without a verdict; the map is free for others. */
  async later(desk: ReviewDesk): Promise<void> {
    if (desk !== this.current) return;
    const next = (await this.ahead) ?? (await this.fetchNext(desk, [desk.task]));
    if (desk !== this.current) return; // pressed twice
    if (!next) {
      desk.tell(t("Nothing else waits for you to review."));
      return;
    }
    desk.release();
    this.put(next);
    this.remember("push");
    this.lookAhead();
  }

  /** Another place of the history. */
  async travel(): Promise<void> {
    const { current } = this;
    if (location.pathname + location.search === current.address) return; // only a part of the page
    const desk = await fetchDesk(location.href, { method: "GET" }, this.actions);
    if (!desk) {
      location.reload();
      return;
    }
    current.close(); // it stays taken, and comes first when the next one is asked for
    this.next?.close();
    this.put(desk);
    if ((history.state as typeof held | null)?.held && desk.root.dataset["held"] === "") void desk.take();
    this.lookAhead();
  }

  private follow(desk: ReviewDesk, verdict: Verdict, next: ReviewDesk): void {
    next.root.querySelector("[data-judged-before]")?.replaceChildren(...desk.notice(verdict));
    allowRetract(next, false); // until the verdict has arrived
    next.address = next.place(`${project}/${next.task}`, desk.task);
    count(next, -1); // its page was made while the one before was waiting
    this.put(next);
    this.remember("push");
  }

  private comeBack(desk: ReviewDesk, next: ReviewDesk): void {
    count(next, 1);
    this.put(desk);
    this.remember("replace");
    this.next = next;
    this.ahead = Promise.resolve(next);
  }

  /** Puts a map in the place of the present one. */
  private put(desk: ReviewDesk): void {
    const { current } = this;
    if (this.next === desk) this.next = null;
    this.ahead = Promise.resolve(null);
    const cells = [desk, current].map(({ root }) => root.querySelector<HTMLInputElement>("[data-review-cells]"));
    if (cells[0] && cells[0].checked !== cells[1]?.checked) cells[0].click();
    current.root.replaceWith(desk.root);
    // Who wrote or pinned something had scrolled down to it: the next map's pictures are in sight again.
    if (desk.root.getBoundingClientRect().top < 0) scrollTo({ top: 0, behavior: "instant" });
    this.current = desk;
    mapOpacity();
    desk.methods.choose(current.methods.chosen);
    document.title = `${desk.root.dataset["title"] ?? ""} · ABN Studio`;
    const tab = document.querySelector(`nav a[href="${project}"] .count`);
    if (tab && desk.root.dataset["tab"]) tab.textContent = desk.root.dataset["tab"];
    this.status.textContent = desk.root.querySelector("h1")?.textContent ?? "";
    void desk.show();
  }

  private remember(how: "push" | "replace" = "replace"): void {
    const state = this.current.held ? held : null;
    if (how === "push") history.pushState(state, "", this.current.address);
    else history.replaceState(state, "", this.current.address);
  }

  /** Takes and prepares what comes after the present map. Who only looks at a map takes none, and keeps none from others. */
  private lookAhead(): void {
    this.next = null;
    this.ahead = Promise.resolve(null);
    const { current } = this;
    if (!current.held) return;
    this.aheadOf = current;
    const ahead = this.fetchNext(current, [current.task]);
    this.ahead = ahead;
    void ahead.then(async (desk) => {
      await desk?.decoded().catch(() => undefined);
      if (this.ahead === ahead) this.next = desk;
    });
  }

  private fetchNext(desk: ReviewDesk, except: readonly number[]): Promise<ReviewDesk | null> {
    const order = desk.root.dataset["order"];
    const body = new URLSearchParams([["part", "review"], ["after", String(desk.task)], ...(order ? [["order", order]] : []), ...except.map((id) => ["except", String(id)])]);
    return fetchDesk(`${project}/next`, { method: "POST", body }, this.actions);
  }
}

/** A map's part of the page; null where there is none, or the studio does not answer. */
async function fetchDesk(address: string, request: RequestInit, actions: Actions): Promise<ReviewDesk | null> {
  const url = new URL(address, location.href);
  if (request.method === "GET") url.searchParams.set("part", "review");
  const answer = await fetch(url, request).catch(() => null);
  if (answer?.status !== 200 || answer.redirected) return null;
  const holder = document.createElement("div"); // of this page, so that its pictures are fetched
  holder.innerHTML = await answer.text();
  const root = holder.querySelector<HTMLElement>("[data-desk]");
  if (!root) return null;
  drawMaps(root);
  return new ReviewDesk(root, client, actions);
}

/** Why a verdict did not arrive, and what to do. */
function why(error: unknown): string {
  if (error instanceof Problem && error.status === 401) return t("Your session has ended, and your verdict is not stored. Sign in again, then give it again: what you wrote is kept here.");
  return t("Your verdict is not stored: {error}. What you wrote is kept here.", { error: reason(error) });
}

function allowRetract({ root }: ReviewDesk, allowed: boolean): void {
  const button = root.querySelector<HTMLButtonElement>(".judged button");
  if (button) button.disabled = !allowed;
}

/** Changes how many maps the page says are waiting. */
function count({ root }: ReviewDesk, by: number): void {
  for (const key of ["waiting", "tab"]) root.dataset[key] = String(Number(root.dataset[key]) + by);
  const shown = root.querySelector("[data-waiting-count]");
  if (shown) shown.textContent = Number(root.dataset["waiting"]).toLocaleString("en");
}

function start(): void {
  const root = document.querySelector<HTMLElement>("[data-desk]");
  if (!root) return;
  const session = new Session(root);
  const dialog = new SignInDialog({
    email: root.dataset["email"], words: t("Your session has ended. What you wrote is kept in this browser."),
    busy: () => typing(document.activeElement), client,
  });
  document.body.append(dialog.element);
  client.user = Number(root.dataset["user"]);
  addEventListener("focus", () => void client.lookForSession());
  client.signedOut = (out) => {
    if (out) return dialog.ask();
    dialog.close();
    session.signedIn();
  };
  onKey((key, event) => session.key(key, event));
  for (const sign of ["pointermove", "pointerdown", "keydown", "wheel"]) addEventListener(sign, () => session.sign(), { passive: true });
  addEventListener("popstate", () => void session.travel());
  addEventListener("pagehide", () => session.leave());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // the browser's copy of the page knows nothing of the verdict
  });
  session.begin();
}

start();
