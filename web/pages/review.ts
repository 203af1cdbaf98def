// The review page: four panes that zoom and pan as one, cells read off under the pointer, A and X.
import type { TaskDetail } from "../editor/src/api/schema.d.ts";
import { markOf, markWords } from "../editor/src/marks.ts";
import { onKey } from "./keys.ts";
import { type CellMap, decodeMap } from "./maps.ts";
import { otherMethods, readMethods } from "./methods.ts";

interface View {
  scale: number; // 1: the picture fills its pane
  x: number; // of the picture's left upper corner, in pane pixels
  y: number;
}

const view: View = { scale: 1, x: 0, y: 0 };
const stages = [...document.querySelectorAll<HTMLElement>("[data-stage]")];
const inners = stages.map((stage) => stage.querySelector<HTMLElement>(".stage-inner"));

function apply(): void {
  const stage = stages[0];
  if (!stage) return;
  // The picture never leaves its pane.
  const limitX = stage.clientWidth * (1 - view.scale);
  const limitY = stage.clientHeight * (1 - view.scale);
  view.x = Math.min(0, Math.max(limitX, view.x));
  view.y = Math.min(0, Math.max(limitY, view.y));
  for (const pane of stages) pane.toggleAttribute("data-zoomed", view.scale > 1); // a finger scrolls the page until there is something to move
  for (const inner of inners) if (inner) inner.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
}

function zoom(factor: number, x: number, y: number): void {
  const scale = Math.min(12, Math.max(1, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  apply();
}

const maps = (name: string): CellMap | null => {
  const canvas = document.querySelector<HTMLCanvasElement>(`.pane:nth-child(${name}) canvas`);
  const map = canvas ? decodeMap(canvas.dataset["map"] ?? "") : null;
  const marks = canvas?.dataset["marks"];
  return map && marks ? { ...map, marks } : map;
};
const own = maps("2");
const edit = maps("3");
const probe = document.getElementById("probe");
otherMethods({ own, edit });

function read(stage: HTMLElement, event: PointerEvent): void {
  const map = edit ?? own;
  if (!map || !probe) return;
  const box = stage.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left - view.x) / view.scale / box.width, (event.clientY - box.top - view.y) / view.scale / box.height];
  const [column, row] = [Math.floor(x * map.columns), Math.floor(y * map.rows)];
  if (row < 0 || column < 0 || row >= map.rows || column >= map.columns) return;
  const at = row * map.columns + column;
  const parts = [`row ${row + 1}, column ${column + 1}`];
  if (own) parts.push(`model ${(own.values[at] ?? 0).toFixed(2)}`);
  const mark = markOf(edit?.marks?.[at]);
  if (edit) parts.push(`edit ${mark ? markWords[mark] : (edit.values[at] ?? 0).toFixed(2)}`);
  readMethods(x, y);
  probe.textContent = parts.join(" · ");
}

for (const stage of stages) {
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    },
    { passive: false },
  );
  stage.addEventListener("pointerdown", (event) => {
    if (view.scale > 1) stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) {
      view.x += event.movementX;
      view.y += event.movementY;
      apply();
    }
    read(stage, event);
  });
  stage.addEventListener("dblclick", (event) => {
    const box = stage.getBoundingClientRect();
    zoom(2, event.clientX - box.left, event.clientY - box.top);
  });
}

function reset(): void {
  Object.assign(view, { scale: 1, x: 0, y: 0 });
  apply();
}

document.querySelector("[data-review-reset]")?.addEventListener("click", reset);
const cells = document.querySelector<HTMLInputElement>("[data-review-cells]");
cells?.addEventListener("change", () => document.querySelector("[data-review]")?.classList.toggle("cells", cells.checked));

const form = document.querySelector<HTMLFormElement>("[data-verdict]");
const comment = form?.querySelector("textarea");

// A verdict is on what has been seen: none is taken before all pictures are drawn and have stood there for a moment, so that the second of
// two quick presses, or a key that is held, does not judge the edit that came up meanwhile. One verdict is sent once.
const moment = 500; // ms
let seen = false;
let sent = false;
const verdicts = [...(form?.querySelectorAll<HTMLButtonElement>("button[value]") ?? [])];
const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));

async function waitForPictures(): Promise<void> {
  for (const button of verdicts) button.setAttribute("aria-disabled", "true");
  try {
    await Promise.all([...document.querySelectorAll<HTMLImageElement>("[data-review] .panes:not([hidden]) img")].map((picture) => picture.decode()));
  } catch {
    tell("A picture can't be shown: reload the page before you judge.");
    return;
  }
  await frame();
  await frame();
  await new Promise((passed) => setTimeout(passed, moment));
  seen = true;
  for (const button of verdicts) button.removeAttribute("aria-disabled");
}

function tell(words: string): void {
  const notice = document.createElement("p");
  notice.className = "notice notice-bad";
  notice.role = "alert";
  notice.textContent = words;
  form?.prepend(notice);
}
if (form) void waitForPictures();

const press = (verdict: string) => form?.querySelector<HTMLButtonElement>(`button[value="${verdict}"]`)?.click();

form?.addEventListener("submit", (event) => {
  if (!seen || sent) {
    event.preventDefault();
    return;
  }
  const rejecting = (event.submitter as HTMLButtonElement | null)?.value === "reject";
  if (rejecting && comment && comment.value.trim() === "") {
    event.preventDefault();
    comment.setCustomValidity("Say what should change: it goes back to its author.");
    comment.reportValidity();
    comment.focus();
    return;
  }
  sent = true;
  for (const button of verdicts) button.setAttribute("aria-disabled", "true");
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // the browser's copy of the page knows nothing of the verdict
});
const forgive = () => comment?.setCustomValidity("");
comment?.addEventListener("input", forgive);
for (const button of form?.querySelectorAll("button") ?? []) button.addEventListener("click", forgive); // before it is validated
comment?.addEventListener("keydown", (event) => {
  if (event.key === "Escape") comment.blur(); // back to the keys
});

onKey((key, event) => {
  if ((key === "a" || key === "x") && form) {
    if (seen && !sent && !event.repeat) press(key === "a" ? "approve" : "reject");
    return true;
  }
  if (key === "0") return (reset(), true);
  return false;
});

// Fetch the next edit's picture while this one is reviewed.
async function fetchNext(): Promise<void> {
  const [, slug, , id] = location.pathname.slice(1).split("/");
  const answer = await fetch(`/api/v1/projects/${slug ?? ""}/reviews/next?after=${id ?? ""}`).catch(() => null);
  if (answer?.status !== 200) return;
  const next = (await answer.json()) as TaskDetail;
  new Image().src = `/api/v1/images/${next.image_id}/picture?kind=view&v=${next.version_id}`;
}
if (form) void fetchNext();
