// The strip below the canvas: the tasks done here, the present one, and the next ones of the queue.

import { pictureURL } from "../api/client.ts";
import type { TaskCard, TaskDetail } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { button, fill, h, say } from "./element.ts";

const ahead = 24; // thumbnails of the queue
const behind = 8; // of what was done

export function filmStrip(desk: Desk): HTMLElement {
  const list = h("ol.film", { "data-testid": "film" });
  const count = h("p.film-count");
  const done: TaskCard[] = [];
  let current: TaskDetail | null = null;
  let queued: readonly TaskCard[] = []; // as they were last known, so that the strip does not empty itself between two pictures

  const frame = (card: TaskCard, state: "done" | "current" | "waiting") =>
    h("li", {}, button("button.frame", {
      "data-task-id": card.id, "data-state": state, "aria-current": state === "current" || undefined,
      title: `${card.label_name}: ${card.image.name}`, "aria-label": `${card.label_name}, ${state}`,
      onclick: () => state !== "current" && void desk.openTask(card.id),
    }, h("img", { src: pictureURL(card, "thumb"), alt: "", loading: "lazy", decoding: "async", draggable: "false" })));

  const show = async (detail: TaskDetail) => {
    const before = current;
    if (before && before.id !== detail.id && !done.some((d) => d.id === before.id) && desk.finished > done.length) done.push(before);
    current = detail;
    const past = done.filter((d) => d.id !== detail.id).slice(-behind);
    const waiting = () => queued.filter((t) => t.id !== detail.id && !past.some((d) => d.id === t.id));
    const draw = () => fill(list, ...past.map((c) => frame(c, "done")), frame(detail, "current"), ...waiting().map((c) => frame(c, "waiting")));
    draw();
    try {
      const page = await desk.client.queue(detail.project.slug, desk.selection, ahead);
      if (current !== detail) return;
      queued = page.tasks;
      draw();
      say(count, `${desk.finished > 0 ? `${desk.finished} done here · ` : ""}${page.total} waiting`);
      const next = waiting()[0];
      if (next) new Image().src = pictureURL(next, "view"); // most likely the next task
    } catch {
      say(count, ""); // painting works without the strip
    }
  };
  desk.on("opened", (detail) => void show(detail));
  return h("nav.strip", { "aria-label": "Tasks" }, list, count);
}
