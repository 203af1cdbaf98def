// The strip below the canvas: what this person submitted last, which opens again, the present task, and the next ones of the queue.

import { pictureURL } from "../api/client.ts";
import type { TaskCard } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { fetchAhead } from "../render/ahead.ts";
import { button, fill, h, say } from "./element.ts";
import { t } from "../words.ts";

const ahead = 24; // thumbnails of the queue

/** What there is to say of a task that was submitted; the sign stands in the frame's corner. */
const past: Partial<Record<TaskCard["state"], readonly [sign: string, words: string]>> = {
  submitted: ["", t("in review: a stroke takes it back")],
  approved: ["✓", t("approved")],
  "changes-requested": ["↺", t("sent back with a comment")],
  leased: ["✎", t("taken back, not submitted again yet")],
  skipped: ["–", t("put aside")],
};

export function filmStrip(desk: Desk): HTMLElement {
  if (desk.correcting) return h("nav.strip", { "aria-label": t("Tasks") }); // maps to review come one at a time
  const list = h("ol.film", { "data-testid": "film" });
  const count = h("p.film-count");
  let queued: readonly TaskCard[] = []; // as they were last known, so that the strip does not empty itself between two pictures

  const made = new Map<number, { item: HTMLElement; frame: HTMLElement }>(); // a frame stays while its task is in the strip
  const frame = (card: TaskCard, state: "done" | "current" | "waiting") => {
    let one = made.get(card.id);
    if (!one) {
      const image = h("img", { src: pictureURL(card, "thumb"), alt: "", loading: "lazy", decoding: "async", draggable: "false" });
      const frame = button("button.frame", { "data-task-id": card.id, onclick: () => card.id !== desk.detail?.id && void desk.openTask(card.id) }, image);
      made.set(card.id, (one = { item: h("li", {}, frame), frame }));
    }
    const [sign, words] = (state === "done" && past[card.state]) || ["", { current: t("current"), waiting: t("waiting"), done: t("done") }[state]];
    one.frame.dataset["state"] = state;
    one.frame.dataset["sign"] = sign;
    one.frame.title = `${card.label_name}: ${card.image.name}${state === "done" ? `, ${words}` : ""}`;
    one.frame.setAttribute("aria-label", `${card.label_name}, ${words}`);
    if (state === "current") one.frame.setAttribute("aria-current", "true");
    else one.frame.removeAttribute("aria-current");
    return one.item;
  };

  const draw = () => {
    const { detail, recent } = desk;
    if (!detail) return;
    const done = recent.toReversed();
    const again = done.some((card) => card.id === detail.id);
    const items = done.map((card) => frame(card, card.id === detail.id ? "current" : "done"));
    if (!again) items.push(frame(detail, "current"));
    items.push(...queued.filter((t) => t.id !== detail.id && !done.some((d) => d.id === t.id)).map((card) => frame(card, "waiting")));
    if (items.length !== list.children.length || items.some((item, i) => list.children[i] !== item)) fill(list, ...items);
    for (const [id, { item }] of made) if (!item.isConnected) made.delete(id);
    made.get(detail.id)?.frame.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const show = async () => {
    const { detail } = desk;
    if (!detail) return;
    draw();
    try {
      const [page] = await Promise.all([desk.client.queue(detail.project.slug, desk.selection, ahead), desk.knowRecent()]);
      if (desk.detail !== detail && desk.detail?.id !== detail.id) return;
      queued = page.tasks;
      draw();
      say(count, [desk.finished > 0 && t("{n} done here", { n: desk.finished }), t("{n} waiting", { n: page.total })].filter(Boolean).join(" · "));
      const next = queued.find((t) => t.id !== detail.id);
      if (next) fetchAhead(pictureURL(next, "view")); // most likely the next task
    } catch {
      say(count, ""); // painting works without the strip
    }
  };
  desk.on("opened", () => void show());
  return h("nav.strip", { "aria-label": t("Tasks") }, list, count);
}
