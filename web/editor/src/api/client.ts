// The studio's JSON API, as far as the editor needs it: openapi-fetch over the types generated from its description.
// `fetch` is handed in: it is the network's edge.

import createClient from "openapi-fetch";
import type { WireMap } from "../grid.ts";
import type { Click } from "../likeness.ts";
import { shown } from "../passkey.ts";
import { language } from "../words.ts";
import { Outside, Problem, Unreachable } from "./problem.ts";
import type {
  ActivationMap, CorrectRequestBody, DraftBody, Edit, LabelVerdict, Lease, Likeness, ProposeRequestBody, MapRequestBody, Problem as ProblemBody, ReviewRequestBody, Segment, Scores, SignedIn, StartingPoint, TaskCard, TaskDetail, TaskPage, paths,
} from "./schema.d.ts";

export type { Class } from "./schema.d.ts";
export type LabelRequest = ProposeRequestBody;

export type Fetch = (request: Request, init: RequestInit) => Promise<Response>;

const base = "/api/v1";
const patience = 20_000; // milliseconds until a request counts as unreachable
const again = 3000; // milliseconds until it is tried again to sign a stranger out
const segmentPatience = 90_000; // a segmenter's encoder may take that long, once for a picture

/** Who has signed in: whose page it is, or somebody else, who was signed out at once, or is as soon as the studio can be reached. */
export type Entered = "self" | "other" | "other-stays";

/** What of the queue is worked on, as the API takes it. */
export type Selection = NonNullable<paths["/projects/{project}/tasks/next"]["post"]["parameters"]["query"]>;

export type PictureKind = "view" | "whole" | "thumb";

/** A task's picture; naming the version lets the browser keep it. */
export const pictureURL = (task: { readonly image: { readonly id: number }; readonly version_id: number }, kind: PictureKind): string =>
  `${base}/images/${task.image.id}/picture?kind=${kind}&v=${task.version_id}`;

/** Each call ends in the answer, or throws a Problem, Unreachable, or what its signal was aborted with. */
export class Client {
  private readonly api;
  /** Is called when an answer says that nobody is signed in any more, and when somebody is again. */
  signedOut: (out: boolean) => void = () => undefined;
  private out = false;
  private signing: Promise<unknown> | null = null; // until it is known who has signed in
  private ending: ReturnType<typeof setTimeout> | undefined; // when a stranger is signed out, which failed

  /** Whose page it is. Once their session has ended nothing is sent in the name of anybody else who signs in in this browser. */
  user = 0;

  /** The slug of the project that the page is of, which its person was a member of when they opened it; "" where that is not known. */
  project = "";

  constructor(fetch: Fetch) {
    const knowSession = (out: boolean) => this.knowSession(out);
    const outside = () => this.outside(fetch);
    this.api = createClient<paths>({ baseUrl: base, headers: { Accept: "application/json", "Accept-Language": language }, fetch: this.inTurn(patiently(fetch)) });
    this.api.use({
      async onResponse({ request, response }) {
        if (!ofSession(request) && (response.ok || response.status === 401)) knowSession(!response.ok);
        if (response.ok) return;
        const problem = await problemOf(response);
        throw problem.status === 404 && (await outside()) ? new Outside(problem.title) : problem;
      },
    });
  }

  private knowSession(out: boolean): void {
    if (out === this.out) return;
    this.out = out;
    this.signedOut(out);
  }

  /** Sends nothing while somebody signs in, nor, once the session has ended, before its person has another: it would be in the name of whoever that is. */
  private inTurn(send: (request: Request) => Promise<Response>): (request: Request) => Promise<Response> {
    return async (request) => {
      if (ofSession(request)) return send(request);
      if (this.user !== 0) request.headers.set("Studio-Page-Of", String(this.user)); // the studio does nothing for anybody who has signed in since, in another tab
      if (this.signing) await this.signing;
      if (this.out) {
        const asked = await send(new Request(`${base}/session`, { headers: { Accept: "application/json" } }));
        if (!asked.ok) return asked;
        if (((await asked.json()) as SignedIn).user.id !== this.user) return new Response("{}", { status: 401 });
      }
      return send(request);
    };
  }

  /** Finds out whether the person has signed in elsewhere, whose session had ended. */
  async lookForSession(): Promise<void> {
    if (this.out && (await this.whoIsThere()) === this.user) this.knowSession(false);
  }

  /** Who is signed in; null: nobody, or it cannot be known now. */
  private async whoIsThere(): Promise<number | null> {
    return answer(this.api.GET("/session")).then(({ user }) => user.id, () => null);
  }

  /** Whether the studio tells this person no longer of the project: to whoever is no member, it is not there. */
  private async outside(fetch: Fetch): Promise<boolean> {
    if (!this.project) return false;
    const asked = new Request(`${base}/projects/${this.project}`, { headers: { Accept: "application/json" } });
    return (await patiently(fetch)(asked).catch(() => null))?.status === 404;
  }

  task(id: number): Promise<TaskDetail> {
    return answer(this.api.GET("/tasks/{task}", of(id)));
  }

  /** Takes this task for the person signed in. */
  claim(id: number): Promise<TaskDetail> {
    return answer(this.api.POST("/tasks/{task}/claim", of(id)));
  }

  renew(id: number): Promise<Lease> {
    return answer(this.api.POST("/tasks/{task}/lease", of(id)));
  }

  async release(id: number): Promise<void> {
    await this.api.POST("/tasks/{task}/release", of(id));
  }

  score(id: number, map: WireMap, signal?: AbortSignal): Promise<Scores> {
    return answer(this.api.POST("/tasks/{task}/score", { ...of(id), body: { map }, ...(signal && { signal }) }));
  }

  /** How alike the places of the task's picture are to its network. */
  likeness(id: number): Promise<Likeness> {
    return answer(this.api.GET("/tasks/{task}/likeness", of(id)));
  }

  /** The region that clicks mean to the studio's segmenter. */
  segment(id: number, clicks: readonly Click[]): Promise<Segment> {
    return answer(this.api.POST("/tasks/{task}/segment", { ...of(id), body: { clicks: [...clicks] } }));
  }

  /** Has the segmenter look at the task's picture, so that the first click is answered at once. */
  async prepareSegmenter(id: number): Promise<void> {
    await this.api.POST("/tasks/{task}/segment/prepare", of(id));
  }

  /** What the task's map can begin with, without the maps. */
  async startingPoints(id: number): Promise<StartingPoint[]> {
    return (await answer(this.api.GET("/tasks/{task}/starting-points", of(id)))).starting_points;
  }

  /** One of them, with its map. */
  startingPoint(id: number, point: string): Promise<StartingPoint> {
    return answer(this.api.GET("/tasks/{task}/starting-points/{point}", { params: { path: { task: id, point } } }));
  }

  /** Where a branch looks for a class by another method. */
  activationMap(id: number, query: MapRequestBody, signal: AbortSignal): Promise<ActivationMap> {
    return answer(this.api.POST("/tasks/{task}/activation-map", { ...of(id), body: query, signal }));
  }

  /** `last` for a save while the page goes away: it may outlive the page. */
  save(id: number, draft: DraftBody, last = false): Promise<Edit> {
    return answer(this.api.PUT("/tasks/{task}/draft", { ...of(id), body: draft, keepalive: last }));
  }

  submit(id: number, revision: number): Promise<TaskDetail> {
    return answer(this.api.POST("/tasks/{task}/submit", { ...of(id), body: { revision } }));
  }

  async skip(id: number, reason: string): Promise<void> {
    await this.api.POST("/tasks/{task}/skip", { ...of(id), body: { reason } });
  }

  /** Says that an image's label is wrong. */
  questionLabel(image: number, body: LabelRequest): Promise<LabelVerdict> {
    return answer(this.api.POST("/images/{image}/label", { params: { path: { image } }, body }));
  }

  /** Starts a new session where the last one has ended, with a code where one is asked for (asksForCode). */
  signIn(email: string, password: string, code: string): Promise<Entered> {
    return this.enter(() => this.api.POST("/session", { body: { email, password, ...(code && { code }) } }));
  }

  /** The same by a passkey. */
  async signInByPasskey(): Promise<Entered> {
    const { options } = await answer(this.api.POST("/session/passkey/begin"));
    const credential = await shown(options);
    return this.enter(() => this.api.POST("/session/passkey", { body: { credential } }));
  }

  private async enter(ask: () => Promise<{ readonly data?: SignedIn }>): Promise<Entered> {
    clearTimeout(this.ending); // whoever enters ends the session before
    const entered = answer(ask()).then(({ user }) => (user.id === this.user ? "self" : this.endStranger()));
    this.signing = entered.catch(() => undefined).then(() => (this.signing = null));
    const who = await entered;
    if (who === "self") this.knowSession(false);
    return who;
  }

  /** Ends the session of somebody who is not the page's person: now, or, where that fails, as soon as it can be done. */
  private async endStranger(): Promise<Entered> {
    this.knowSession(true);
    const ended = await this.api.DELETE("/session").then(() => true, (error: unknown) => error instanceof Problem && error.status === 401);
    if (ended) return "other";
    this.ending = setTimeout(() => void this.whoIsThere().then((who) => (who === this.user ? undefined : this.endStranger())), again);
    return "other-stays";
  }

  /** Takes back what was submitted, as long as nobody has judged it. */
  takeBack(id: number): Promise<TaskDetail> {
    return answer(this.api.POST("/tasks/{task}/take-back", of(id)));
  }

  /** Takes a submitted map to judge. */
  claimReview(id: number): Promise<TaskDetail> {
    return answer(this.api.POST("/tasks/{task}/review/claim", of(id)));
  }

  renewReview(id: number): Promise<Lease> {
    return answer(this.api.POST("/tasks/{task}/review/lease", of(id)));
  }

  /** Leaves it for others, also while the page goes away. */
  async releaseReview(id: number): Promise<void> {
    await this.api.POST("/tasks/{task}/review/release", { ...of(id), keepalive: true });
  }

  /** Judges a submitted map; the verdict arrives even if the page goes away. */
  judge(edit: number, body: ReviewRequestBody): Promise<TaskDetail> {
    return answer(this.api.POST("/edits/{edit}/review", { params: { path: { edit } }, body, keepalive: true }));
  }

  /** Puts a reviewer's map in the place of a submitted one, and approves it. */
  correct(id: number, edit: number, body: CorrectRequestBody): Promise<TaskDetail> {
    return answer(this.api.POST("/tasks/{task}/edits/{edit}/correct", { params: { path: { task: id, edit } }, body }));
  }

  /** Leases the next task of a selection, and not `except`; null when none is waiting. */
  async next(project: string, selection: Selection, except?: number): Promise<TaskDetail | null> {
    return (await this.api.POST("/projects/{project}/tasks/next", { params: { path: { project }, query: { ...selection, ...(except !== undefined && { except }) } } })).data ?? null;
  }

  /** What the person submitted last, the last first. */
  async recent(project: string): Promise<readonly TaskCard[]> {
    return (await answer(this.api.GET("/projects/{project}/tasks/recent", { params: { path: { project } } }))).tasks;
  }

  /** The queue's first tasks that can be worked on. */
  queue(project: string, selection: Selection, limit: number): Promise<TaskPage> {
    return answer(this.api.GET("/tasks", { params: { query: { ...selection, project, state: ["open"], limit } } }));
  }
}

const ofSession = (request: Request): boolean => /\/session(\/passkey(\/begin)?)?$/.test(new URL(request.url).pathname);

const of = (task: number) => ({ params: { path: { task } } });

/** What a call was answered with. There is always something: what is no success was thrown. */
async function answer<T>(call: Promise<{ readonly data?: T }>): Promise<T> {
  return (await call).data as T;
}

/** `fetch`, which gives up after a while, and tells a network that fails from somebody who no longer wants to know. */
function patiently(fetch: Fetch): (request: Request) => Promise<Response> {
  return async (request) => {
    const limit = /\/segment(\/prepare)?$/.test(request.url) ? segmentPatience : patience;
    try {
      return await fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(limit)]) });
    } catch (error) {
      if (request.signal.aborted) throw error;
      const { pathname, search } = new URL(request.url);
      throw new Unreachable(`${request.method} ${pathname.slice(base.length)}${search}: ${String(error)}`, { cause: error });
    }
  };
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Partial<ProblemBody> = {};
  try {
    body = (await response.json()) as typeof body;
  } catch {
    // the error page of a proxy: only its status is of use
  }
  return new Problem(response.status, body.title ?? `HTTP ${response.status}`, body.detail ?? "", body.current, body.errors?.map((e) => e.location ?? ""));
}
