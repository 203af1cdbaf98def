// Maps by other methods on the review page: CAM or Grad-CAM of a branch, with the model's map and with the edit.
import type { ActivationMap, MapRequestBody, Problem } from "../editor/src/api/schema.d.ts";
import { number } from "../editor/src/format.ts";
import { normalised } from "../editor/src/other_map.ts";
import { type CellMap, drawMap } from "./maps.ts";
import { t } from "../editor/src/words.ts";

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

export class OtherMethods {
  private readonly row: HTMLElement | null;
  private readonly method: HTMLSelectElement | null;
  private readonly ofClass: HTMLSelectElement | null;
  private readonly words: HTMLElement | null;
  private readonly probe: HTMLElement | null;
  private readonly canvases: HTMLCanvasElement[];
  private readonly shown = new Map<string, ActivationMap>(); // "own" and "edit"
  private asking: AbortController | null = null;

  /** `given` are the maps that the perception branch reads: the model's own and the edit. */
  constructor(root: HTMLElement, private readonly given: Readonly<Record<"own" | "edit", CellMap | null>>) {
    this.row = root.querySelector("[data-others]");
    this.method = root.querySelector("[data-method]");
    this.ofClass = root.querySelector("[data-method-class]");
    this.words = root.querySelector("[data-method-words]");
    this.probe = root.querySelector("[data-method-probe]");
    this.canvases = [...root.querySelectorAll<HTMLCanvasElement>("canvas[data-other]")];
    this.method?.addEventListener("change", () => void this.show());
    this.ofClass?.addEventListener("change", () => void this.show());
  }

  /** Which method is looked at, "" for none. */
  get chosen(): string {
    return this.method?.value ?? "";
  }

  choose(method: string): void {
    if (!this.method || this.method.value === method) return;
    this.method.value = method;
    void this.show();
  }

  /** Goes on to the next method; false where there are none. */
  next(): boolean {
    if (!this.method) return false;
    this.method.selectedIndex = (this.method.selectedIndex + 1) % this.method.options.length;
    void this.show();
    return true;
  }

  /** Reads the maps off at a place, x and y in [0,1]. */
  read(x: number, y: number): void {
    if (!this.probe || this.shown.size === 0 || x < 0 || y < 0 || x >= 1 || y >= 1) return;
    const name = this.method?.selectedOptions[0]?.dataset["name"] ?? "";
    const parts = [...this.shown].map(([which, m]) => {
      const value = number(m.values[Math.floor(y * m.h) * m.w + Math.floor(x * m.w)] ?? 0);
      return which === "own" ? t("{value} with the model's map", { value }) : t("{value} with the edit", { value });
    });
    this.probe.textContent = t("{name} under the pointer: {values}", { name, values: parts.join(", ") });
  }

  close(): void {
    this.asking?.abort();
  }

  private say(text: string): void {
    if (this.words && this.words.textContent !== text) this.words.textContent = text;
  }

  private async show(): Promise<void> {
    this.asking?.abort();
    const { row, method, ofClass, probe, given } = this;
    if (!row || !method || !ofClass) return;
    const [name, branch] = method.value.split(" ") as [MapRequestBody["method"], MapRequestBody["branch"]?]; // "cam attention"; "": none
    row.hidden = !branch;
    if (!branch) return;
    const { signal } = (this.asking = new AbortController());
    const label = t("{method} branch", { method: method.selectedOptions[0]?.textContent ?? "" });
    const wanted = this.canvases.filter((canvas) => branch === "perception" || canvas.dataset["other"] === "own");
    for (const canvas of this.canvases) canvas.closest("figure")?.toggleAttribute("hidden", !wanted.includes(canvas));
    this.say(t("{label}: computing…", { label }));
    if (probe) probe.textContent = "";
    try {
      const answers = await Promise.all(wanted.map(async (canvas) => {
        const which = canvas.dataset["other"] === "edit" ? "edit" : "own";
        const map = given[which];
        const values = branch === "perception" && map ? { map: { h: map.rows, w: map.columns, values: Array.from(map.values), ...(map.marks && { marks: map.marks }) } } : {};
        return { canvas, which, map: await ask(row.dataset["task"] ?? "", { method: name, branch, class: Number(ofClass.value), ...values }, signal) };
      }));
      const [first] = answers;
      if (!first) return; // no canvas, nothing asked
      const largest = Math.max(...answers.map(({ map }) => map.max));
      this.shown.clear();
      for (const { canvas, which, map } of answers) {
        draw(canvas, map, largest);
        this.shown.set(which, map);
      }
      const scale = largest > 0 ? answers.length > 1 ? t("Brightest: {largest}, of both. Darkest: 0 and below.", { largest: number(largest) }) : t("Brightest: {largest}. Darkest: 0 and below.", { largest: number(largest) }) : t("Nothing speaks for this class.");
      this.say(t("{label}, for {class}, {rows} × {columns} cells. {scale}", { label, class: first.map.class_name, rows: first.map.h, columns: first.map.w, scale }));
    } catch (error) {
      if (signal.aborted) return;
      this.shown.clear();
      for (const canvas of this.canvases) canvas.width = canvas.height = 0;
      this.say(error instanceof TypeError ? t("{label}: the studio can't be reached. Choose it again when the connection is back.", { label }) : String(error instanceof Error ? error.message : error));
    }
  }
}
