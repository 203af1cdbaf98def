// Shows background work as it happens: one request every two seconds for a project whose page shows a job.
import type { Job, JobList } from "../editor/src/api/schema.d.ts";
import { duration } from "./clock.ts";
import { count, said, t } from "../editor/src/words.ts";

const alive = (job: Job) => job.state === "running" || job.state === "queued";

function show(line: HTMLElement, job: Job): void {
  line.dataset["state"] = job.state;
  const bar = line.querySelector("progress");
  if (bar && job.total > 0) bar.value = alive(job) ? job.fraction : 1;
  const counted = line.querySelector(".job-count");
  if (counted) counted.textContent = job.total > 0 ? t("{n} of {total}", { n: count(job.done), total: count(job.total) }) : said(job.state);
  const left = line.querySelector(".job-left");
  if (left) left.textContent = alive(job) && job.remaining_seconds > 0 ? t("{time} left", { time: duration(job.remaining_seconds) }) : alive(job) ? "" : said(job.state);
}

export function watchJobs(): void {
  const places = [...document.querySelectorAll<HTMLElement>("[data-jobs]")];
  const slugs = new Set(places.map((place) => place.dataset["jobs"] ?? ""));
  for (const slug of slugs) if (slug) void watch(slug, places.filter((place) => place.dataset["jobs"] === slug));
}

async function watch(slug: string, places: HTMLElement[]): Promise<void> {
  const live = () => places.some((place) => place.querySelector('[data-state="running"], [data-state="queued"]'));
  const started = live();
  while (live()) {
    await new Promise((next) => setTimeout(next, 2000));
    if (document.hidden) continue;
    const answer = await fetch(`/api/v1/projects/${slug}/jobs`).catch(() => null);
    if (!answer?.ok) continue; // the studio may be restarting: ask again
    const { jobs } = (await answer.json()) as JobList;
    for (const place of places) {
      for (const line of place.querySelectorAll<HTMLElement>("[data-job]")) {
        const job = jobs.find((j) => String(j.id) === line.dataset["job"]);
        if (job) show(line, job);
      }
    }
  }
  // The job that the page waited for has ended: show its result.
  if (started && places.some((place) => "reload" in place.dataset || "list" in place.dataset)) location.reload();
}
