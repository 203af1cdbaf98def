// Makes one map of two, in the dialog of a conflict: a side is chosen, and cells are given it, by pointer or keyboard.

import type { Desk } from "../desk.ts";
import { value } from "../format.ts";
import { arrows } from "../input/arrows.ts";
import { Merge, sides, type Side } from "../merge.ts";
import { paintCells } from "../render/heat.ts";
import { pencil } from "../render/pencil.ts";
import { button, fill, h, say } from "./element.ts";
import { t } from "../words.ts";

const words = { mine: t("This page's"), theirs: t("The saved one's"), mean: t("The mean") } as const satisfies Record<Side, string>;
const pixels = 16; // of the picture's canvas, across a cell

/** The part of the conflict's dialog in which a merge is made; `done` is called with it, `back` where there is to be none. */
export function mergePanel(desk: Desk, done: (merge: Merge) => void, back: () => void): { element: HTMLElement; open(): void; focus(): void } {
  const canvas = h("canvas.merged", { tabindex: 0, role: "img", "data-testid": "merge-map" });
  const told = h("p.muted", { role: "status", "data-testid": "merge-cell" });
  const count = h("p.muted", { "data-testid": "merge-count" });
  const radios = sides.map((side) => h("input", { type: "radio", name: "merge-side", value: side, checked: side === "mine", "data-testid": `merge-${side}` }));
  const every = button("button", { "data-testid": "merge-every", onclick: () => {
    merge?.choose(side());
    show();
  } });
  const rims = sides.map((name) => h("span.rim", { "data-side": name }));
  const element = h(
    "div.merge", { hidden: true },
    h("p", {}, t("A cell that only one side changed has that side's value. Choose whose the others are, all at once or by pressing on cells.")),
    h("div.row", { role: "radiogroup", "aria-label": t("Whose value") }, ...sides.map((name, i) => h("label.reason", {}, radios[i], rims[i], words[name]))),
    canvas, count, told,
    h("div.row.end", {}, button("button", { onclick: back }, t("Back")), every, button("button.primary", { "data-testid": "keep-merged", onclick: () => { if (merge) done(merge); } }, t("Keep the merged one"))),
  );
  let merge: Merge | null = null;
  let cell = 0;
  let pressed = false;

  const side = (): Side => sides.find((_, i) => radios[i]?.checked) ?? "mine";
  const document = () => desk.editor.document;

  const show = () => {
    if (!merge) return;
    const { rows, columns } = document();
    const values = merge.state().subarray(0, rows * columns);
    [canvas.width, canvas.height] = [columns * pixels, rows * pixels];
    const small = new ImageData(columns, rows);
    paintCells(values, { kind: "map", colors: "viridis" }, new Uint32Array(small.data.buffer));
    const source = h("canvas", { width: columns, height: rows });
    pencil(source).putImageData(small, 0, 0);
    const g = pencil(canvas);
    g.imageSmoothingEnabled = false;
    g.drawImage(source, 0, 0, canvas.width, canvas.height);
    g.lineWidth = 2;
    const colours = rims.map((rim) => getComputedStyle(rim).borderTopColor);
    const frame = (i: number, inset: number) => g.strokeRect((i % columns) * pixels + inset, Math.floor(i / columns) * pixels + inset, pixels - 2 * inset, pixels - 2 * inset);
    for (const i of merge.differing) {
      g.strokeStyle = colours[sides.indexOf(merge.side(i) ?? "mine")] ?? "";
      frame(i, 2);
    }
    if (element.contains(globalThis.document.activeElement)) {
      g.strokeStyle = "#ffd84d";
      frame(cell, 0);
    }
    const n = merge.count();
    say(count, t("{n} cells differ, {both} of them changed on both sides. From this page {mine}, from the saved one {theirs}, means {mean}.", { n: merge.differing.length, both: merge.both.length, mine: n.mine, theirs: n.theirs, mean: n.mean }));
    say(every, t("All {n} that both changed", { n: merge.both.length }));
    every.disabled = merge.both.length === 0;
    canvas.setAttribute("aria-label", t("The merged map: arrows move over the cells, Space takes the cell from the chosen side"));
  };

  const give = (i: number) => {
    merge?.choose(side(), [i]);
    cell = i;
    show();
    tell();
  };

  const tell = () => {
    if (!merge) return;
    const { columns } = document();
    const from = merge.side(cell);
    const { mine, theirs } = merge.values(cell);
    const whose = from ? t("this page {mine}, saved {theirs}, taken: {side}", { mine: value(mine), theirs: value(theirs), side: words[from].toLowerCase() }) : t("{mine} on both sides", { mine: value(mine) });
    say(told, t("row {row}, column {column}: {whose}", { row: Math.floor(cell / columns) + 1, column: (cell % columns) + 1, whose }));
  };

  const at = (e: PointerEvent): number => {
    const box = canvas.getBoundingClientRect();
    const { rows, columns } = document();
    const along = (v: number, size: number, n: number) => Math.min(n - 1, Math.max(0, Math.floor((v / size) * n)));
    return along(e.clientY - box.top, box.height, rows) * columns + along(e.clientX - box.left, box.width, columns);
  };
  canvas.addEventListener("pointerdown", (e) => {
    pressed = true;
    give(at(e));
  });
  canvas.addEventListener("pointermove", (e) => {
    if (pressed) give(at(e));
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(end, () => (pressed = false));
  canvas.addEventListener("keydown", (e) => {
    const { rows, columns } = document();
    const step = arrows[e.key];
    if (step) {
      const [row, column] = [Math.floor(cell / columns) + step[0], (cell % columns) + step[1]];
      if (row >= 0 && row < rows && column >= 0 && column < columns) cell = row * columns + column;
      show();
      tell();
    } else if (e.key === " " || e.key === "Enter") give(cell);
    else return;
    e.preventDefault();
  });
  canvas.addEventListener("focus", show);
  canvas.addEventListener("blur", show);

  return {
    element,
    open: () => {
      merge = desk.merge();
      element.hidden = !merge;
      cell = merge?.both[0] ?? merge?.differing[0] ?? 0;
      fill(told);
      show();
    },
    focus: () => canvas.focus({ preventScroll: true }),
  };
}
