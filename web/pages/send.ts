// Sends a data set in chunks, and goes on after a pause, a lost network or a reload where it stopped. Shows how far an import is.
import type { Problem, StagedImport } from "../editor/src/api/schema.d.ts";
import { duration } from "./clock.ts";
import { takeDrops, type Chosen } from "./drop.ts";
import { chunk, dataSet, type DataSet } from "./stream.ts";
import { farWords, complain, size } from "./transfer.ts";
import { t, tn } from "../editor/src/words.ts";

const mostFiles = 500_001; // one more than the API takes, which then says so

export function sendImages(): void {
  const place = document.querySelector<HTMLElement>("[data-send]");
  if (place) new Sender(place);
  const running = document.querySelector<HTMLElement>("[data-import-busy]");
  if (running) void follow(running);
}

/** What the API answered: its body, or what was wrong. status 0: it was not reached. */
interface Answer {
  readonly status: number;
  readonly staged?: StagedImport;
  readonly problem: string;
}

/** A part of the page of sending (templates/import.templ). */
function there<E>(part: E | null): E {
  if (!part) throw new Error(t("the page of sending lacks a part"));
  return part;
}

class Sender {
  private readonly bar: HTMLProgressElement;
  private readonly words: HTMLElement;
  private readonly pauseButton: HTMLButtonElement;
  private readonly wrong: HTMLElement;
  private readonly progress: HTMLElement;
  private readonly archive: boolean; // of a project; else the images of one are sent
  private set: DataSet | undefined;
  private staged: StagedImport | undefined;
  private request: XMLHttpRequest | undefined;
  private paused = false;
  private stopped = false;
  private wake: () => void = () => {}; // ends a wait
  private sent = 0; // bytes of this page's own
  private spent = 0; // milliseconds that they took

  constructor(private readonly place: HTMLElement) {
    this.archive = "sendArchive" in place.dataset;
    this.bar = there(place.querySelector("progress"));
    this.words = there(place.querySelector("[role=status]"));
    this.pauseButton = there(place.querySelector("[data-send-pause]"));
    this.wrong = there(place.querySelector("[data-send-problem]"));
    this.progress = there(place.querySelector("[data-send-progress]"));
    const drop = there(place.querySelector<HTMLElement>("[data-send-drop]"));
    for (const input of place.querySelectorAll<HTMLInputElement>("input[type=file]")) {
      input.addEventListener("change", () => {
        this.take([...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
        input.value = ""; // the same may be chosen again
      });
    }
    takeDrops(drop, mostFiles, (reading) => {
      if (!this.set) this.words.textContent = t("looking through the folder…");
      void reading.then((files) => { this.take(files); }, (reason: unknown) => { this.say(t("The folder cannot be read: {reason}", { reason: String(reason) })); });
    });
    this.pauseButton.addEventListener("click", () => { this.pause(!this.paused); });
    there(place.querySelector("[data-send-stop]")).addEventListener("click", () => { void this.discard(); });
    addEventListener("online", () => { this.wake(); });
  }

  private say(text: string): void {
    complain(this.wrong, text);
  }

  private take(chosen: readonly Chosen[]): void {
    if (this.set) {
      this.say(t("One data set at a time: wait until this one is here, or stop it."));
      return;
    }
    const set = dataSet(chosen);
    if (set.files.length === 0) {
      this.say(t("There is no file in it."));
      return;
    }
    if (this.archive && set.files.length > 1) {
      this.say(t("An archive of a project is one file."));
      return;
    }
    this.set = set;
    this.say("");
    this.show(true);
    this.words.textContent = tn(set.files.length, "{n} file, {size}", "{n} files, {size}", { size: size(set.bytes) });
    void this.run(set).catch((reason: unknown) => { this.fail(String(reason)); });
  }

  private show(sending: boolean): void {
    this.progress.hidden = !sending;
    for (const selector of ["[data-send-drop]", "[data-send-choose]"]) {
      const part = this.place.querySelector<HTMLElement>(selector);
      if (part) part.hidden = sending;
    }
  }

  private fail(text: string): void {
    this.set = this.staged = undefined;
    this.show(false);
    this.say(text);
  }

  private pause(yes: boolean): void {
    this.paused = yes;
    this.pauseButton.textContent = yes ? t("Go on") : t("Pause");
    if (yes) {
      this.request?.abort();
      this.words.textContent = t("{far}, paused", { far: this.far() });
    }
    this.wake();
  }

  private far(): string {
    return t("{n} of {total}", { n: size(this.staged?.received ?? 0), total: size(this.set?.bytes ?? 0) });
  }

  private async run(set: DataSet): Promise<void> {
    const files = set.files.map(({ file, path }) => ({ path, bytes: file.size }));
    const project = this.place.dataset["project"] ?? "";
    const begun = await this.insist(() => this.archive ? ask("POST", "/archives", { name: set.name, bytes: set.bytes }) : ask("POST", `/projects/${project}/imports`, { name: set.name, files }));
    if (!begun?.staged) {
      if (begun) this.fail(begun.problem);
      return;
    }
    this.staged = begun.staged;
    const most = Number(this.place.dataset["chunk"] ?? 0) || 8 << 20;
    while (this.staged.received < set.bytes) {
      const answer = await this.insist(() => this.send(set, most));
      if (!answer) return;
      if (answer.status === 409) { // what a chunk that broke off has left: how far is it really?
        await this.wait(300);
        const now = await this.insist(() => ask("GET", `/imports/${this.staged?.id ?? ""}`));
        if (!now) return;
        if (!now.staged) {
          this.fail(now.problem);
          return;
        }
        this.staged = now.staged;
        if (this.staged.state !== "receiving") break;
        continue;
      }
      if (!answer.staged) {
        this.fail(answer.problem);
        return;
      }
      this.staged = answer.staged;
    }
    this.words.textContent = t("all of it is here");
    if (this.archive) {
      location.assign(`/archives/${this.staged.id}`);
      return;
    }
    const looking = await this.insist(() => ask("POST", `/imports/${this.staged?.id ?? ""}/look`, {}));
    if (looking) location.assign(`/projects/${project}/imports/${this.staged.id}`); // which says what is wrong, if something is
  }

  /** Does something until it is answered: it waits while paused, and for a network that is lost. undefined: it was stopped. */
  private async insist(what: () => Promise<Answer>): Promise<Answer | undefined> {
    for (let tries = 0; ; tries++) {
      while (this.paused && !this.stopped) await this.wait(0);
      if (this.stopped) return undefined;
      const answer = await what();
      if (answer.status === 401) {
        this.say(t("You are signed out. Sign in in another tab, then go on here."));
        this.pause(true);
        continue;
      }
      if (answer.status !== 0 && answer.status !== 429 && answer.status < 500 || answer.status === 507) {
        if (answer.status === 200) this.say("");
        return answer;
      }
      if (this.paused) continue;
      const gone = await this.unreadable();
      if (gone) {
        this.say(t("{name} cannot be read any more: it was changed or moved. Choose the files again.", { name: gone }));
        this.stopped = true;
        return undefined;
      }
      const seconds = Math.min(30, 2 ** tries);
      this.words.textContent = t("{far}: the studio does not answer; trying again in {seconds} s", { far: this.far(), seconds });
      await this.wait(seconds * 1000);
    }
  }

  /** The file that the next bytes are in, if it can no longer be read. */
  private async unreadable(): Promise<string> {
    let end = 0;
    for (const { file, path } of this.set?.files ?? []) {
      end += file.size;
      if (end <= (this.staged?.received ?? 0)) continue;
      try {
        await file.slice(0, 1).arrayBuffer();
        return "";
      } catch {
        return path;
      }
    }
    return "";
  }

  /** Waits so long, 0: until woken. */
  private wait(milliseconds: number): Promise<void> {
    return new Promise((done) => {
      const timer = milliseconds > 0 ? setTimeout(done, milliseconds) : undefined;
      this.wake = () => { clearTimeout(timer); done(); };
    });
  }

  private send(set: DataSet, most: number): Promise<Answer> {
    const from = this.staged?.received ?? 0;
    const request = new XMLHttpRequest(); // fetch tells nothing of how far a body is
    this.request = request;
    const started = performance.now();
    let loaded = 0;
    request.upload.addEventListener("progress", (event) => {
      loaded = event.loaded;
      const rate = (this.sent + loaded) / Math.max(1, this.spent + performance.now() - started); // bytes in a millisecond
      const left = (set.bytes - from - loaded) / Math.max(rate, 1e-6) / 1000;
      this.bar.value = (from + loaded) / Math.max(1, set.bytes);
      this.words.textContent = farWords(from + loaded, set.bytes, this.spent + performance.now() - started > 1000 ? left : 0);
    });
    return new Promise((done) => {
      request.addEventListener("loadend", () => {
        this.sent += loaded;
        this.spent += performance.now() - started;
        done(answerOf(request.status, request.responseText));
      });
      request.open("PUT", `/api/v1/imports/${this.staged?.id ?? ""}/bytes?offset=${from}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(chunk(set, from, most));
    });
  }

  private async discard(): Promise<void> {
    this.stopped = true;
    this.request?.abort();
    this.wake();
    for (let tries = 0; this.staged && tries < 10; tries++) {
      const { status } = await ask("DELETE", `/imports/${this.staged.id}`);
      if (status !== 409) break; // else its last chunk is still being written
      await this.wait(300);
    }
    location.reload();
  }
}

function answerOf(status: number, body: string): Answer {
  try {
    const parsed = body ? (JSON.parse(body) as unknown) : undefined;
    if (status >= 200 && status < 300) return { status, staged: parsed as StagedImport, problem: "" };
    const problem = parsed as Problem | undefined;
    const detail = problem?.errors?.[0]?.message ?? problem?.detail ?? problem?.title ?? "";
    return { status, problem: detail ? detail.slice(0, 1).toUpperCase() + detail.slice(1) : t("The studio answered {status}.", { status }) };
  } catch {
    return { status, problem: t("The studio answered {status}.", { status }) };
  }
}

/** Asks the API. */
async function ask(method: string, path: string, body?: unknown): Promise<Answer> {
  try {
    const answer = await fetch(`/api/v1${path}`, body === undefined ? { method } : { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return answerOf(answer.status, await answer.text());
  } catch {
    return { status: 0, problem: t("The studio does not answer.") };
  }
}

/** Shows how far an import is, and shows its page anew when that is over. */
async function follow(page: HTMLElement): Promise<void> {
  const id = page.dataset["import"] ?? "";
  const began = page.dataset["importState"];
  for (;;) {
    await new Promise((next) => setTimeout(next, 1000));
    if (document.hidden) continue;
    const { status, staged } = await ask("GET", `/imports/${id}`);
    if (status >= 400 && status < 500 || staged && staged.state !== began) {
      location.reload();
      return;
    }
    if (!staged) continue; // the studio restarts: it comes back
    const bar = page.querySelector("progress");
    if (bar) bar.value = staged.share;
    const left = page.querySelector("[data-import-left]");
    if (left) left.textContent = staged.remaining_seconds > 0 ? t("{time} left", { time: duration(staged.remaining_seconds) }) : "";
  }
}
