// Maps by other methods on the review page: CAM or Grad-CAM of a branch, with the model's map and with the edit.
import type { ActivationMap, MapRequestBody, Problem } from "../editor/src/api/schema.d.ts";
import { number } from "../editor/src/format.ts";
import { normalised } from "../editor/src/other_map.ts";
import { onKey } from "./keys.ts";
import { type CellMap, drawMap } from "./maps.ts";

const row = document.querySelector<HTMLElement>("[data-others]");
const method = document.querySelector<HTMLSelectElement>("[data-method]");
const ofClass = document.querySelector<HTMLSelectElement>("[data-method-class]");
const words = document.querySelector<HTMLElement>("[data-method-words]");
const canvases = [...document.querySelectorAll<HTMLCanvasElement>("canvas[data-other]")];
const probe = document.querySelector<HTMLElement>("[data-method-probe]");
const shown = new Map<string, ActivationMap>(); // "own" and "edit"

let asking: AbortController | null = null;

async function ask(task: string, body: MapRequestBody, signal: AbortSignal): Promise<ActivationMap> {
  const response = await fetch(`/api/v1/tasks/${task}/activation-map`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
  });
  if (response.ok) return (await response.json()) as ActivationMap;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  throw new Error(problem.detail ?? problem.title ?? `HTTP ${response.status}`);
}

/** Draws a map divided by `largest`, so that two maps beside each other have one scale. */
function draw(canvas: HTMLCanvasElement, map: ActivationMap, largest: number): void {
  const bytes = new Uint8Array(normalised(map.values, largest).buffer);
  canvas.width = map.w;
  canvas.height = map.h;
  canvas.dataset["map"] = `${map.h},${map.w},f,${btoa(String.fromCharCode(...bytes))}`;
  drawMap(canvas);
}

const say = (text: string) => words && words.textContent !== text && (words.textContent = text);

async function show(given: Readonly<Record<string, CellMap | null>>): Promise<void> {
  asking?.abort();
  if (!row || !method || !ofClass) return;
  const [name, branch] = method.value.split(" ") as [MapRequestBody["method"], MapRequestBody["branch"]?]; // "cam attention"; "": none
  row.hidden = !branch;
  if (!branch) return;
  const { signal } = (asking = new AbortController());
  const label = `${method.selectedOptions[0]?.textContent ?? ""} branch`;
  const wanted = canvases.filter((canvas) => branch === "perception" || canvas.dataset["other"] === "own");
  for (const canvas of canvases) canvas.closest("figure")?.toggleAttribute("hidden", !wanted.includes(canvas));
  say(`${label}: computing…`);
  if (probe) probe.textContent = "";
  try {
    const answers = await Promise.all(wanted.map(async (canvas) => {
      const which = canvas.dataset["other"] ?? "";
      const map = given[which];
      const values = branch === "perception" && map ? { map: { h: map.rows, w: map.columns, values: Array.from(map.values), ...(map.marks && { marks: map.marks }) } } : {};
      return { canvas, which, map: await ask(row.dataset["task"] ?? "", { method: name, branch, class: Number(ofClass.value), ...values }, signal) };
    }));
    const [first] = answers;
    if (!first) return; // no canvas, nothing asked
    const largest = Math.max(...answers.map(({ map }) => map.max));
    shown.clear();
    for (const { canvas, which, map } of answers) {
      draw(canvas, map, largest);
      shown.set(which, map);
    }
    const scale = largest > 0 ? `Brightest: ${number(largest)}${answers.length > 1 ? ", of both" : ""}. Darkest: 0 and below.` : "Nothing speaks for this class.";
    say(`${label}, for ${first.map.class_name}, ${first.map.h} × ${first.map.w} cells. ${scale}`);
  } catch (error) {
    if (signal.aborted) return;
    shown.clear();
    for (const canvas of canvases) canvas.width = canvas.height = 0;
    say(error instanceof TypeError ? `${label}: the studio can't be reached. Choose it again when the connection is back.` : String(error instanceof Error ? error.message : error));
  }
}

/** Reads the maps off at a place, x and y in [0,1]. */
export function readMethods(x: number, y: number): void {
  if (!probe || shown.size === 0 || x < 0 || y < 0 || x >= 1 || y >= 1) return;
  const name = method?.selectedOptions[0]?.dataset["name"] ?? "";
  const parts = [...shown].map(([which, m]) => `${number(m.values[Math.floor(y * m.h) * m.w + Math.floor(x * m.w)] ?? 0)} with the ${which === "own" ? "model's map" : "edit"}`);
  probe.textContent = `${name} under the pointer: ${parts.join(", ")}`;
}

/** `given` are the maps that the perception branch reads: the model's own and the edit. */
export function otherMethods(given: Readonly<Record<"own" | "edit", CellMap | null>>): void {
  method?.addEventListener("change", () => void show(given));
  ofClass?.addEventListener("change", () => void show(given));
  onKey((key) => {
    if (key !== "m" || !method) return false;
    method.selectedIndex = (method.selectedIndex + 1) % method.options.length;
    void show(given);
    return true;
  });
}
