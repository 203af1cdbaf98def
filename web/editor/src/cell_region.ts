// The rectangle of cells that the keyboard selects: from the cell where it began to the one that it is on.

import { mapPoint } from "./geometry.ts";
import { boxCoverage, type Selection } from "./selection.ts";
import { later, said, t, tn } from "./words.ts";

export interface CellRegion {
  readonly from: number; // the cell where it began
  readonly selection: Selection;
  readonly rows: readonly [number, number]; // first and last, from 1
  readonly columns: readonly [number, number];
}

export function regionBetween(from: number, to: number, rows: number, columns: number): CellRegion {
  const ends = (a: number, b: number): [number, number] => [Math.min(a, b), Math.max(a, b) + 1];
  const [top, bottom] = ends(Math.floor(from / columns), Math.floor(to / columns));
  const [left, right] = ends(from % columns, to % columns);
  const outline = [mapPoint(left, top), mapPoint(right, top), mapPoint(right, bottom), mapPoint(left, bottom)];
  const coverage = boxCoverage(mapPoint(left, top), mapPoint(right, bottom), rows, columns);
  return { from, selection: { coverage, outline }, rows: [top + 1, bottom], columns: [left + 1, right] };
}

/** A region in words, with the mean of its values. */
export function regionWords({ rows, columns, selection }: CellRegion, values: Float32Array): string {
  const along = ([first, last]: readonly [number, number], one: string, many: string) => (first === last ? said(one, { first }) : said(many, { first, last }));
  let [sum, count] = [0, 0];
  selection.coverage.forEach((inside, i) => {
    if (inside > 0) [sum, count] = [sum + (values[i] ?? 0), count + 1];
  });
  const place = `${along(rows, later("row {first}"), later("rows {first} to {last}"))}, ${along(columns, later("column {first}"), later("columns {first} to {last}"))}`;
  return t("{place}, {cells}, mean {mean}", { place, cells: tn(count, "{n} cell", "{n} cells"), mean: (sum / Math.max(1, count)).toFixed(2) });
}
