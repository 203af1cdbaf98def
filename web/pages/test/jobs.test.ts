import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { watchJobs } from "../jobs.ts";

const job = (more: object) => ({ id: 4, state: "running", done: 1200, total: 4000, fraction: 0.3, remaining_seconds: 95, ...more });
const line = (state: string) => `<li data-job="4" data-state="${state}"><progress></progress><b class="job-count"></b><i class="job-left"></i></li>`;
const text = (of: string) => document.querySelector(of)?.textContent;
const fetched = vi.fn<(address: string) => Promise<Response>>();
const reload = vi.fn();

function answers(...bodies: (object | "away")[]): void {
  for (const body of bodies) {
    if (body === "away") fetched.mockRejectedValueOnce(new TypeError("fetch failed"));
    else fetched.mockResolvedValueOnce(new Response(JSON.stringify({ jobs: [body] })));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", fetched);
  vi.spyOn(location, "reload").mockImplementation(reload);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.resetAllMocks();
});

describe("jobs", () => {
  it("shows how far one is, asks on through an outage, and stops when it is done", async () => {
    document.body.innerHTML = `<ul data-jobs="birds">${line("queued")}</ul>`;
    answers(job({}), "away", job({ state: "finished", done: 4000, fraction: 1 }));
    watchJobs();
    expect(fetched).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2000);
    expect(fetched).toHaveBeenCalledWith("/api/v1/projects/birds/jobs");
    expect([text(".job-count"), text(".job-left"), document.querySelector("progress")?.value]).toEqual(["1,200 of 4,000", "2 min left", 0.3]);
    await vi.advanceTimersByTimeAsync(4000);
    expect([text(".job-count"), text(".job-left"), document.querySelector("progress")?.value]).toEqual(["4,000 of 4,000", "finished", 1]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fetched).toHaveBeenCalledTimes(3);
    expect(reload).not.toHaveBeenCalled();
  });

  it("loads a page again that waited for one", async () => {
    document.body.innerHTML = `<ul data-jobs="birds" data-reload>${line("running")}</ul>`;
    answers(job({ state: "finished" }));
    watchJobs();
    await vi.advanceTimersByTimeAsync(2000);
    expect(reload).toHaveBeenCalledTimes(1);
  });

  it("asks for nothing where none is under way", async () => {
    document.body.innerHTML = `<ul data-jobs="birds" data-reload>${line("finished")}</ul><ul data-jobs=""></ul>`;
    watchJobs();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fetched).not.toHaveBeenCalled();
    expect(reload).not.toHaveBeenCalled();
  });
});
