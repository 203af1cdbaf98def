// The strip below the canvas: the tasks done here, the present one, and the next ones of the queue.

import { pictureURL } from "../api/client.ts";
import type { TaskCard, TaskDetail } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { fetchAhead } from "../render/ahead.ts";
import { button, fill, h, say } from "./element.ts";

const ahead = 24; // thumbnails of the queue
const behind = 8; // of what was done

export function filmStrip(desk: Desk): HTMLElement {
  if (desk.correcting) return h("nav.strip", { "aria-label": "Tasks" }); // maps to review come one at a time
  const list = h("ol.film", { "data-testid": "film" });
  const count = h("p.film-count");
  const done: TaskCard[] = [];
  let current: TaskDetail | null = null;
  let queued: readonly TaskCard[] = []; // as they were last known, so that the strip does not empty itself between two pictures

  const made = new Map<number, { item: HTMLElement; frame: HTMLElement }>(); // a frame stays while its task is in the strip
  const frame = (card: TaskCard, state: "done" | "current" | "waiting") => {
    let one = made.get(card.id);
    if (!one) {
      const image = h("img", { src: pictureURL(card, "thumb"), alt: "", loading: "lazy", decoding: "async", draggable: "false" });
      const frame = button("button.frame", { "data-task-id": card.id, title: `${card.label_name}: ${card.image.name}`, onclick: () => card.id !== current?.id && void desk.openTask(card.id) }, image);
      made.set(card.id, (one = { item: h("li", {}, frame), frame }));
    }
    one.frame.dataset["state"] = state;
    one.frame.setAttribute("aria-label", `${card.label_name}, ${state}`);
    if (state === "current") one.frame.setAttribute("aria-current", "true");
    else one.frame.removeAttribute("aria-current");
    return one.item;
  };

  const show = async (detail: TaskDetail) => {
    const before = current;
    if (before && before.id !== detail.id && !done.some((d) => d.id === before.id) && desk.finished > done.length) done.push(before);
    current = detail;
    const past = done.filter((d) => d.id !== detail.id).slice(-behind);
    const waiting = () => queued.filter((t) => t.id !== detail.id && !past.some((d) => d.id === t.id));
    const draw = () => {
      const items = [...past.map((c) => frame(c, "done")), frame(detail, "current"), ...waiting().map((c) => frame(c, "waiting"))];
      if (items.length !== list.children.length || items.some((item, i) => list.children[i] !== item)) fill(list, ...items);
      for (const [id, { item }] of made) if (!item.isConnected) made.delete(id);
    };
    draw();
    try {
      const page = await desk.client.queue(detail.project.slug, desk.selection, ahead);
      if (current !== detail) return;
      queued = page.tasks;
      draw();
      say(count, `${desk.finished > 0 ? `${desk.finished} done here · ` : ""}${page.total} waiting`);
      const next = waiting()[0];
      if (next) fetchAhead(pictureURL(next, "view")); // most likely the next task
    } catch {
      say(count, ""); // painting works without the strip
    }
  };
  desk.on("opened", (detail) => void show(detail));
  return h("nav.strip", { "aria-label": "Tasks" }, list, count);
}
