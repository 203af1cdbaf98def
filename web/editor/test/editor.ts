// The headless editor that tests drive: the real desk, editor, saving and scoring, with the network and the browser's
// storage replaced at their edges. Coordinates are cells of the map: pointerDown(3, 4) is column 3, row 4.

import { vi } from "vitest";
import { Client } from "../src/api/client.ts";
import type { Changes, Edit, Image, KeptSteps, Scores, TaskDetail } from "../src/api/schema.d.ts";
import { Desk } from "../src/desk.ts";
import { Editor } from "../src/editor.ts";
import { mapPoint } from "../src/geometry.ts";
import type { WireMap } from "../src/grid.ts";
import type { WireHistory } from "../src/history_codec.ts";
import type { KeyInput } from "../src/input/key_input.ts";
import { keyDown, keyUp } from "../src/input/keys.ts";
import type { PointerSample } from "../src/input/sample.ts";
import { Journal } from "../src/save/journal.ts";
import { Settings } from "../src/settings.ts";
import mechanisms from "./mechanisms.json";

/** localStorage as far as the editor uses it, with a quota. */
export class MemoryStorage {
  readonly items = new Map<string, string>();
  constructor(public quota = 5 << 20) {}
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (value.length > this.quota) throw new DOMException("quota", "QuotaExceededError");
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
}

export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
  /** Its length as it was sent. A save of changes has its whole map and undo stack in `body`, as the server would. */
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  /** Answers it; without a body 204. */
  reply(status: number, body?: unknown): Promise<void>;
  /** The network fails. */
  drop(): Promise<void>;
}

const origin = "http://studio.test";

/** A request of a page of the studio, which remembers its body: a Request gives it away once, and later. */
class RememberingRequest extends Request {
  readonly sent: string | undefined;
  constructor(address: string, init: RequestInit = {}) {
    super(new URL(address, origin), init);
    this.sent = init.body as string | undefined;
  }
}
vi.stubGlobal("Request", RememberingRequest);

/** The network's edge: every request waits in `open` until a test answers it, or a rule does. */
export class FakeNetwork {
  readonly sent: SentRequest[] = [];
  private readonly stored = new Map<string, { map: WireMap; history?: WireHistory }>(); // revisions, by task and number
  private rules: ((r: SentRequest) => boolean)[] = [];

  readonly fetch = (asked: Request, { signal }: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason as Error));
      const settle = async () => { await vi.advanceTimersByTimeAsync(0); };
      const request: SentRequest = {
        method: asked.method,
        path: asked.url.replace(`${origin}/api/v1`, ""),
        body: JSON.parse((asked instanceof RememberingRequest && asked.sent) || "{}") as Record<string, unknown>,
        bytes: ((asked instanceof RememberingRequest && asked.sent) || "").length,
        signal: signal ?? undefined,
        reply: (status, body) => {
          this.know(request, body as Partial<TaskDetail & Edit> | undefined);
          resolve(new Response(body === undefined ? null : JSON.stringify(body), { status }));
          return settle();
        },
        drop: () => {
          reject(new TypeError("fetch failed"));
          return settle();
        },
      };
      this.complete(request);
      this.sent.push(request);
      this.rules.some((rule) => rule(request));
    });

  /** Answers requests that match from now on; the newest rule is asked first. */
  on(method: string, path: RegExp, answer: (r: SentRequest) => [number, unknown?] | "drop" | "wait"): void {
    this.rules.unshift((r) => {
      if (r.method !== method || !path.test(r.path)) return false;
      const a = answer(r);
      if (a === "drop") void r.drop();
      else if (a !== "wait") void r.reply(...a);
      return true;
    });
  }

  /** A task's map as the server has it: what a page was given, or what a save made. */
  keep(task: number, revision: number, map: WireMap, history?: unknown): void {
    this.stored.set(`${task}/${revision}`, { map, ...(history !== undefined && { history: history as WireHistory }) });
  }

  /** Remembers what an answer tells of maps. */
  private know(request: SentRequest, body: Partial<TaskDetail & Edit> | undefined): void {
    const task = Number(/^\/tasks\/(\d+)\/draft$/.exec(request.path)?.[1]);
    if (task && body?.revision && body.map) this.keep(task, body.revision, body.map, request.body["history"]);
    if (body?.prediction && body.id) this.keep(body.id, 0, body.prediction.map);
    if (body?.edit && body.id) this.keep(body.id, body.edit.revision, body.edit.map, body.edit.history);
  }

  /** Gives a save that sends what changed the whole map and undo stack, as the server would. */
  private complete({ path, body }: SentRequest): void {
    const changes = body["changes"] as Changes | undefined;
    if (!changes) return;
    const base = this.stored.get(`${/\d+/.exec(path)?.[0]}/${String(body["base_revision"])}`);
    if (!base) throw new Error(`${path}: nobody has revision ${String(body["base_revision"])}`);
    const values = [...base.map.values];
    changes.cells.forEach((cell, i) => (values[cell] = changes.values[i]!));
    const marks = changes.marks ?? base.map.marks;
    body["map"] = { h: base.map.h, w: base.map.w, values, ...(marks && { marks }) };
    const kept = body["kept_steps"] as KeptSteps | undefined;
    if (!kept) return;
    const history = body["history"] as WireHistory;
    body["history"] = { ...history, steps: [...base.history!.steps.slice(kept.from, kept.from + kept.count), ...history.steps] };
  }

  of(method: string, path: RegExp): SentRequest[] {
    return this.sent.filter((r) => r.method === method && path.test(r.path));
  }
}

export const classNames = ["cardinal", "owl", "dove"];

const then = "2030-01-01T00:00:00Z";

/** An image without a label. */
export const image = (id: number): Image => ({ id, project_id: 1, source: "main", name: `train/cardinal/${id}.jpg`, split: "train", hash: "ef", width: 300, height: 200 });

export function task(id: number, values: readonly number[], side: number, more: Partial<TaskDetail> = {}): TaskDetail {
  const top = [{ class: 1, name: "owl", probability: 0.6 }, { class: 0, name: "cardinal", probability: 0.2 }];
  return {
    id, project_id: 1, image_id: 100 + id, version_id: 5, state: "leased", returned: false, updated_at: then, label_name: "cardinal", why: "The network says owl with 60%: confidently wrong",
    image: { ...image(100 + id), label: 0 },
    prediction: {
      image_id: 100 + id, version_id: 5, class: 1, att_class: 1, confidence: 0.6, correct: false, top,
      map: { h: side, w: side, values: [...values] },
    },
    project: { id: 1, feedback: "live", second_reviewer: false, sampling: { share: 100, newcomer: 20 }, start: { method: "model", radius: 0 }, mix: { confident: 100 }, overlap: { share: 0, painters: 2, seed: 1 }, check_share: 0, slug: "birds", name: "Birds", description: "", created_at: then, classes: classNames.map((name, index) => ({ index, key: name, name })) },
    version: {
      id: 5, project_id: 1, number: 2, state: "active", created_at: then, model_hash: "ab", extractor_hash: "cd", manifest: {}, gain: "1+M",
      grid_height: side, grid_width: side, bytes: 1000, parameters: 100, scanned: 10,
    },
    mechanism: mechanisms["1+M"],
    reviews: [],
    lease: { user_id: 7, user_name: "Ana", expires_at: then, mine: true },
    view: { x: 50, y: 0, width: 200, height: 200 },
    ...more,
  };
}

export function savedEdit(revision: number, map: WireMap, more: Partial<Edit> = {}): Edit {
  return {
    id: 900 + revision, task_id: 1, version_id: 5, revision, author_id: 7, author: "Ana", state: "draft", source: "painted", map,
    created_at: then, ...more,
  };
}

export class TestEditor {
  readonly network = new FakeNetwork();
  readonly editor: Editor;
  readonly desk: Desk;
  readonly notices: string[] = [];
  readonly flips: string[] = [];
  revision = 0;
  looks = true; // a picture is seen at once
  private id = 1;

  constructor(readonly storage = new MemoryStorage(), user = 7, segmenter = false, correcting = false) {
    this.editor = new Editor(new Settings(storage), segmenter);
    this.editor.resize(800, 600);
    this.desk = new Desk(this.editor, new Client(this.network.fetch), new Journal(storage), user, {}, correcting);
    this.desk.on("opened", () => {
      if (this.looks) this.desk.see();
    });
    this.desk.on("notice", (words) => this.notices.push(words));
    this.desk.on("flip", (words) => this.flips.push(words));
    this.network.on("POST", /score$/, () => [200, scores([0.2, 0.6, 0.2])]);
    this.network.on("PUT", /draft$/, (r) => [200, savedEdit(++this.revision, r.body["map"] as WireMap, { history: r.body["history"] })]);
    this.network.on("POST", /lease$/, () => [200, {}]);
    this.network.on("GET", /^\/session$/, () => [401, { title: "Not signed in" }]); // nobody, where somebody had one
  }

  /** Opens a task whose model map has these values; zeros without. */
  async open(side = 14, values?: readonly number[], more: Partial<TaskDetail> = {}): Promise<this> {
    const map = values ?? new Array<number>(side * side).fill(0);
    this.revision = more.edit?.revision ?? 0;
    const detail = task(1, map, side, more);
    this.network.keep(detail.id, 0, detail.prediction.map);
    if (detail.edit) this.network.keep(detail.id, detail.edit.revision, detail.edit.map, detail.edit.history);
    await this.desk.open(detail);
    await this.settle();
    return this;
  }

  get values(): Float32Array {
    return this.editor.document.values;
  }

  get history() {
    return this.editor.document.history;
  }

  pointerDown(x: number, y: number, more: Partial<PointerSample> = {}): this {
    this.editor.pointerDown(this.sample(x, y, more));
    return this;
  }

  pointerMove(x: number, y: number, more: Partial<PointerSample> = {}): this {
    this.editor.pointerMove(this.sample(x, y, more));
    return this;
  }

  pointerUp(x: number, y: number, more: Partial<PointerSample> = {}): this {
    this.editor.pointerUp(this.sample(x, y, more));
    return this;
  }

  /** Where the browser thinks the pointer goes next, in cells. */
  pointerAhead(...points: readonly (readonly [number, number])[]): this {
    this.editor.pointerAhead(points.map((p) => this.sample(...p, {})));
    return this;
  }

  /** A whole stroke through points, in cells. */
  stroke(...points: readonly (readonly [number, number])[]): this {
    const [first, last] = [points[0]!, points[points.length - 1]!];
    this.pointerDown(...first);
    for (const p of points.slice(1)) this.pointerMove(...p);
    return this.pointerUp(...last);
  }

  click(x: number, y: number): this {
    return this.pointerDown(x, y).pointerUp(x, y);
  }

  /** "b", "Ctrl+Shift+z", "[". */
  key(combination: string, repeat = false): this {
    const input = keyOf(combination, repeat);
    keyDown(this.editor, input);
    keyUp(this.editor, input);
    return this;
  }

  hold(combination: string): this {
    keyDown(this.editor, keyOf(combination, false));
    return this;
  }

  release(combination: string): this {
    keyUp(this.editor, keyOf(combination, false));
    return this;
  }

  /** Lets time pass, timers and promises included. */
  async wait(milliseconds: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(milliseconds);
  }

  settle(): Promise<void> {
    return this.wait(0);
  }

  get saves(): SentRequest[] {
    return this.network.of("PUT", /draft$/);
  }

  private sample(x: number, y: number, more: Partial<PointerSample>): PointerSample {
    const point = this.editor.toScreen(mapPoint(x, y));
    const type = more.type ?? "mouse";
    return { id: this.id, type, point, pressure: 1, button: 0, shift: false, alt: false, time: performance.now(), contact: type === "touch" ? 20 : 0, ...more };
  }
}

export function scores(probabilities: readonly number[]): Scores {
  const top = probabilities
    .map((probability, c) => ({ class: c, name: classNames[c] ?? "", probability }))
    .sort((a, b) => b.probability - a.probability);
  return { probabilities: [...probabilities], top, correct: top[0]?.class === 0, milliseconds: 2 };
}

function keyOf(combination: string, repeat: boolean): KeyInput {
  const parts = combination.split(/\+(?=.)/);
  const key = parts.pop()!;
  const codes: Record<string, string> = { "[": "BracketLeft", "{": "BracketLeft", "]": "BracketRight", "}": "BracketRight" };
  return {
    key, code: codes[key] ?? "", repeat,
    ctrl: parts.includes("Ctrl"), shift: parts.includes("Shift"), alt: parts.includes("Alt"),
  };
}

export const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
