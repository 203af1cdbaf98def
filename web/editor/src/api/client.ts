// The studio's JSON API, as far as the editor needs it. `fetch` is handed in: it is the network's edge.

import { toWire, type WireMap } from "../grid.ts";
import { Problem, Unreachable } from "./problem.ts";
import type { ActivationMap, ActivationQuery, Draft, Edit, Lease, Scores, TaskCard, TaskDetail, TaskPage } from "./types.ts";

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

const patience = 20_000; // milliseconds until a request counts as unreachable

export type PictureKind = "view" | "whole" | "thumb";

/** A task's picture; naming the version lets the browser keep it. */
export const pictureURL = (task: TaskCard, kind: PictureKind): string =>
  `/api/v1/images/${task.image.id}/picture?kind=${kind}&v=${task.version_id}`;

export const wireMap = (rows: number, columns: number, values: Float32Array): WireMap => ({
  h: rows, w: columns, values: toWire(values),
});

export class Client {
  constructor(
    private readonly fetch: Fetch,
    private readonly base = "/api/v1",
  ) {}

  task(id: number): Promise<TaskDetail> {
    return this.send("GET", `/tasks/${id}`);
  }

  /** Takes this task for the person signed in. */
  claim(id: number): Promise<TaskDetail> {
    return this.send("POST", `/tasks/${id}/claim`);
  }

  renew(id: number): Promise<Lease> {
    return this.send("POST", `/tasks/${id}/lease`);
  }

  release(id: number): Promise<void> {
    return this.send("POST", `/tasks/${id}/release`);
  }

  score(id: number, map: WireMap, signal?: AbortSignal): Promise<Scores> {
    return this.send("POST", `/tasks/${id}/score`, { map }, signal);
  }

  /** Where a branch looks for a class by another method. */
  activationMap(id: number, query: ActivationQuery, signal?: AbortSignal): Promise<ActivationMap> {
    return this.send("POST", `/tasks/${id}/activation-map`, query, signal);
  }

  /** `last` for a save while the page goes away: it may outlive the page. */
  save(id: number, draft: Draft, last = false): Promise<Edit> {
    return this.send("PUT", `/tasks/${id}/draft`, draft, undefined, last);
  }

  submit(id: number, revision: number): Promise<TaskDetail> {
    return this.send("POST", `/tasks/${id}/submit`, { revision });
  }

  skip(id: number, reason: string): Promise<void> {
    return this.send("POST", `/tasks/${id}/skip`, { reason });
  }

  /** Leases the next task; null when none is waiting. */
  async next(project: string): Promise<TaskDetail | null> {
    return (await this.send<TaskDetail | undefined>("POST", `/projects/${project}/tasks/next`)) ?? null;
  }

  /** The queue's first tasks that can be worked on. */
  queue(project: string, limit: number): Promise<TaskPage> {
    return this.send("GET", `/tasks?project=${encodeURIComponent(project)}&state=open&limit=${limit}`);
  }

  private async send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, keepalive = false): Promise<T> {
    const timeout = AbortSignal.timeout(patience);
    const headers: Record<string, string> = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
      response = await this.fetch(this.base + path, {
        method, headers, keepalive,
        credentials: "same-origin",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Unreachable(`${method} ${path}: ${String(error)}`, { cause: error });
    }
    if (response.ok) {
      const text = response.status === 204 ? "" : await response.text();
      return (text === "" ? undefined : JSON.parse(text)) as T;
    }
    throw await problemOf(response);
  }
}

async function problemOf(response: Response): Promise<Problem> {
  let body: { title?: string; detail?: string; current?: Edit } = {};
  try {
    body = (await response.json()) as typeof body;
  } catch {
    // a proxy's error page says no more than its status
  }
  return new Problem(response.status, body.title ?? `HTTP ${response.status}`, body.detail ?? "", body.current);
}
