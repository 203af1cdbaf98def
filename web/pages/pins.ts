// Pins: cells of the map that a verdict points at, each with words. A click on the edit sets one, or Enter on the cell that the arrows move to.
import type { Pin } from "../editor/src/api/schema.d.ts";
import { arrows } from "../editor/src/input/arrows.ts";
import { t } from "../editor/src/words.ts";
import type { Cell, Panes } from "./panes.ts";

const svg = "http://www.w3.org/2000/svg";
const still = 4; // pixels that a press may move and still be a click

let pointing = false; // a button of the mouse, a finger or a pen is down
addEventListener("pointerdown", () => (pointing = true), { capture: true, passive: true });
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (pointing = false), { capture: true, passive: true });

export class Pins {
  private all: Pin[] = [];
  private cursor: Cell | null = null; // of the keyboard
  private scrolled: { readonly from: number; readonly to: number } | null = null; // to bring words into sight, in pixels
  private readonly field: HTMLElement | null;
  private readonly list: HTMLElement | null;
  private readonly stage: HTMLElement | null; // the edit's
  private readonly layers: SVGElement[];
  private readonly most: number;

  /** `changed` is called when a person has changed a pin. */
  constructor(root: HTMLElement, private readonly panes: Panes, private readonly changed: () => void) {
    this.field = root.querySelector("[data-pin-field]");
    this.list = root.querySelector("[data-pin-list]");
    this.most = Number(this.field?.dataset["most"]);
    this.layers = [...root.querySelectorAll<SVGElement>("svg[data-pins-live]")];
    this.stage = this.field ? (root.querySelector("canvas.of-edit")?.closest<HTMLElement>("[data-stage]") ?? null) : null;
    if (!this.field || !this.stage || !panes.edit) return;
    this.field.hidden = false;
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", t("The edit, {rows} rows by {columns} columns: arrow keys move over the cells, Enter pins one, Delete takes its pin away", { rows: panes.edit.rows, columns: panes.edit.columns }));
    this.field.querySelector("[data-pin-start]")?.addEventListener("click", () => this.focus());
    this.listen(this.stage);
  }

  get pins(): Pin[] {
    return this.all.map((pin) => ({ ...pin, words: pin.words.trim() }));
  }

  /** Shows pins that were kept. */
  restore(pins: Pin[]): void {
    const { edit } = this.panes;
    this.all = edit && this.stage ? pins.filter(({ row, column }) => row < edit.rows && column < edit.columns) : [];
    this.draw();
  }

  /** Brings the keyboard to the edit. Whether there is one to pin. */
  focus(): boolean {
    this.stage?.focus();
    return this.stage !== null;
  }

  private listen(stage: HTMLElement): void {
    let from: [number, number] | null = null;
    let fresh: Pin | null = null; // that the click before made
    stage.addEventListener("pointerdown", (event) => (from = event.button === 0 ? [event.clientX, event.clientY] : null));
    stage.addEventListener("click", (event) => {
      if (!from || event.detail > 1 || Math.hypot(event.clientX - from[0], event.clientY - from[1]) > still) return;
      const cell = this.panes.cellAt(stage, event.clientX, event.clientY);
      fresh = cell && this.add(cell);
    });
    stage.addEventListener("dblclick", () => { // it zooms, and pins nothing
      if (fresh && fresh.words === "") this.remove(fresh);
      fresh = null;
    });
    stage.addEventListener("keydown", (event) => {
      const { edit } = this.panes;
      if (!edit || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = arrows[event.key];
      if (step) {
        const at = this.cursor ?? { row: Math.floor(edit.rows / 2) - step[0], column: Math.floor(edit.columns / 2) - step[1] };
        this.move({ row: within(at.row + step[0], edit.rows), column: within(at.column + step[1], edit.columns) });
      } else if (event.key === "Enter" || event.key === " ") {
        if (this.cursor) this.add(this.cursor);
        else this.move({ row: Math.floor(edit.rows / 2), column: Math.floor(edit.columns / 2) });
      } else if (event.key === "Delete" || event.key === "Backspace") {
        const pin = this.cursor && this.at(this.cursor);
        if (pin) this.remove(pin);
      } else if (event.key === "Escape") {
        stage.blur();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    stage.addEventListener("focus", () => {
      if (stage.matches(":focus-visible") && !this.cursor && this.panes.edit) this.move({ row: Math.floor(this.panes.edit.rows / 2), column: Math.floor(this.panes.edit.columns / 2) });
    });
    stage.addEventListener("blur", () => {
      this.cursor = null;
      this.draw(false);
    });
  }

  private at(cell: Cell): Pin | undefined {
    return this.all.find(({ row, column }) => row === cell.row && column === cell.column);
  }

  private move(cell: Cell): void {
    this.cursor = cell;
    this.panes.say(cell);
    this.draw(false);
  }

  /** Pins a cell and asks for its words. The pin, if it is new. */
  private add(cell: Cell): Pin | null {
    let pin = this.at(cell) ?? null;
    const made = pin === null && this.all.length < this.most;
    if (made) {
      pin = { ...cell, words: "" };
      this.all.push(pin);
      this.draw();
      this.changed();
    }
    if (!pin) return null;
    const words = this.list?.children[this.all.indexOf(pin)]?.querySelector("input");
    const before = this.scrolled?.from ?? scrollY;
    words?.focus({ preventScroll: true });
    words?.scrollIntoView({ block: "nearest" }); // no further than it must be, so that the map stays in sight
    this.scrolled = scrollY === before ? null : { from: before, to: scrollY };
    return made ? pin : null;
  }

  /** The words are written: the page goes back to where it was before they came into sight, unless the person has scrolled it. */
  private scrollBack(): void {
    const { scrolled } = this;
    if (!scrolled || this.list?.contains(document.activeElement)) return;
    if (scrollY === scrolled.to) scrollTo({ top: scrolled.from });
    this.scrolled = null;
  }

  private remove(pin: Pin): void {
    this.all = this.all.filter((other) => other !== pin);
    this.draw();
    this.changed();
    setTimeout(() => this.scrollBack());
  }

  /** Draws pins and cursor over all maps and, with `listed`, the list with their words. */
  private draw(listed = true): void {
    for (const layer of this.layers) {
      layer.replaceChildren(...this.all.flatMap((pin, i) => outline(pin, String(i + 1))), ...(this.cursor ? outline(this.cursor, "", "cursor") : []));
    }
    if (!listed || !this.list) return;
    this.list.replaceChildren(...this.all.map((pin) => this.line(pin)));
  }

  private line(pin: Pin): HTMLElement {
    const line = document.createElement("li");
    const place = t("row {row}, column {column}", { row: pin.row + 1, column: pin.column + 1 });
    const words = document.createElement("input");
    words.value = pin.words;
    words.maxLength = Number(this.field?.dataset["longest"]);
    words.placeholder = t("What of it?");
    words.setAttribute("aria-label", t("What is to be said of {place}", { place }));
    words.addEventListener("input", () => {
      pin.words = words.value;
      this.changed();
    });
    words.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault(); // and sends no verdict
      this.cursor = { row: pin.row, column: pin.column };
      this.stage?.focus({ preventScroll: true });
      this.draw(false);
    });
    // Nothing moves while a button is being pressed: the page scrolls once that is done.
    words.addEventListener("blur", () => (pointing ? addEventListener("pointerup", () => setTimeout(() => this.scrollBack()), { once: true }) : setTimeout(() => this.scrollBack())));
    const off = document.createElement("button");
    off.type = "button";
    off.className = "quiet small-button";
    off.textContent = "×";
    off.setAttribute("aria-label", t("Take the pin of {place} away", { place }));
    off.addEventListener("click", () => this.remove(pin));
    const said = document.createElement("span");
    said.className = "num";
    said.textContent = place;
    line.append(said, words, off);
    return line;
  }
}

const within = (at: number, count: number): number => Math.min(count - 1, Math.max(0, at));

function outline({ row, column }: Cell, number: string, kind = ""): SVGElement[] {
  const rect = document.createElementNS(svg, "rect");
  for (const [name, value] of Object.entries({ x: column, y: row, width: 1, height: 1, class: kind })) rect.setAttribute(name, String(value));
  if (!number) return [rect];
  const text = document.createElementNS(svg, "text");
  text.setAttribute("x", String(column + 0.5));
  text.setAttribute("y", String(row + 0.5));
  text.textContent = number;
  return [rect, text];
}
