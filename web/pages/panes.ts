// The panes of one map in review: they zoom and pan as one, and cells are read off under the pointer.
import { markOf, markWords } from "../editor/src/marks.ts";
import { type CellMap, decodeMap } from "./maps.ts";
import { t } from "../editor/src/words.ts";

const largest = 12; // times the pane's size

/** A cell of a map, row and column from 0. */
export interface Cell { row: number; column: number }

export class Panes {
  readonly own: CellMap | null;
  readonly edit: CellMap | null;
  private scale = 1; // 1: the picture fills its pane
  private x = 0; // of the picture's left upper corner, in pane pixels
  private y = 0;
  private readonly stages: HTMLElement[];
  private readonly inners: HTMLElement[];
  private readonly probe: HTMLElement | null;

  /** `read` is told where in the picture the pointer is, x and y in [0,1]. */
  constructor(root: HTMLElement, private readonly read: (x: number, y: number) => void) {
    this.stages = [...root.querySelectorAll<HTMLElement>("[data-stage]")];
    this.inners = this.stages.flatMap((stage) => stage.querySelector<HTMLElement>(".stage-inner") ?? []);
    this.probe = root.querySelector("#probe");
    this.own = mapOf(root, "own");
    this.edit = mapOf(root, "edit");
    for (const stage of this.stages) this.listen(stage);
    root.querySelector("[data-review-reset]")?.addEventListener("click", () => this.reset());
    const cells = root.querySelector<HTMLInputElement>("[data-review-cells]");
    cells?.addEventListener("change", () => root.querySelector("[data-review]")?.classList.toggle("cells", cells.checked));
  }

  reset(): void {
    this.scale = 1;
    this.x = this.y = 0;
    this.apply();
  }

  private listen(stage: HTMLElement): void {
    const place = (event: MouseEvent): [number, number] => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), ...place(event));
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      if (this.scale > 1) stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) {
        this.x += event.movementX;
        this.y += event.movementY;
        this.apply();
      }
      this.tell(stage, ...place(event));
    });
    stage.addEventListener("dblclick", (event) => this.zoom(2, ...place(event)));
  }

  private zoom(factor: number, x: number, y: number): void {
    const scale = Math.min(largest, Math.max(1, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  private apply(): void {
    const stage = this.stages[0];
    if (!stage) return;
    // The picture never leaves its pane.
    this.x = Math.min(0, Math.max(stage.clientWidth * (1 - this.scale), this.x));
    this.y = Math.min(0, Math.max(stage.clientHeight * (1 - this.scale), this.y));
    for (const pane of this.stages) pane.toggleAttribute("data-zoomed", this.scale > 1); // a finger scrolls the page until there is something to move
    for (const inner of this.inners) inner.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
  }

  private tell(stage: HTMLElement, left: number, top: number): void {
    const cell = this.cell(stage, left, top);
    if (!cell) return;
    this.say(cell);
    this.read(cell.x, cell.y);
  }

  /** The cell under a point of the page, null where there is none. */
  cellAt(stage: HTMLElement, clientX: number, clientY: number): Cell | null {
    const box = stage.getBoundingClientRect();
    const cell = this.cell(stage, clientX - box.left, clientY - box.top);
    return cell && { row: cell.row, column: cell.column };
  }

  private cell(stage: HTMLElement, left: number, top: number): (Cell & { x: number; y: number }) | null {
    const map = this.edit ?? this.own;
    if (!map) return null;
    const box = stage.getBoundingClientRect();
    const [x, y] = [(left - this.x) / this.scale / box.width, (top - this.y) / this.scale / box.height];
    const [column, row] = [Math.floor(x * map.columns), Math.floor(y * map.rows)];
    return row < 0 || column < 0 || row >= map.rows || column >= map.columns ? null : { row, column, x, y };
  }

  /** Reads a cell off. */
  say({ row, column }: Cell): void {
    const map = this.edit ?? this.own;
    if (!map || !this.probe) return;
    const at = row * map.columns + column;
    const parts = [t("row {row}, column {column}", { row: row + 1, column: column + 1 })];
    if (this.own) parts.push(t("model {value}", { value: (this.own.values[at] ?? 0).toFixed(2) }));
    const mark = markOf(this.edit?.marks?.[at]);
    if (this.edit) parts.push(t("edit {value}", { value: mark ? markWords[mark] : (this.edit.values[at] ?? 0).toFixed(2) }));
    this.probe.textContent = parts.join(" · ");
  }
}

function mapOf(root: HTMLElement, which: "own" | "edit"): CellMap | null {
  const canvas = root.querySelector<HTMLCanvasElement>(`canvas.of-${which}`);
  const map = canvas ? decodeMap(canvas.dataset["map"] ?? "") : null;
  const marks = canvas?.dataset["marks"];
  return map && marks ? { ...map, marks } : map;
}
