// Lines of equal attention: marching squares between the cells' centres.

/** The values that contours are drawn at. */
export const contourLevels = [0.25, 0.5, 0.75] as const;

/** A place in cells from the upper left corner of the map. */
export interface Place { readonly x: number; readonly y: number }

/**
 * The line on which a map [rows, columns] has a value, as segments. Between centres the map is bilinear; from the outermost centres to
 * the edge it stays as it is there, so that lines end at the edge.
 */
export function contour(values: ArrayLike<number>, rows: number, columns: number, level: number): [Place, Place][] {
  const along = (i: number, cells: number) => Math.min(Math.max(i - 0.5, 0), cells); // 0, 0.5, 1.5, …, cells − 0.5, cells
  const within = (i: number, cells: number) => Math.min(Math.max(i - 1, 0), cells - 1);
  const corner = (row: number, column: number) => ({
    x: along(column, columns), y: along(row, rows), v: values[within(row, rows) * columns + within(column, columns)] ?? 0,
  });
  type Corner = ReturnType<typeof corner>;
  const crossing = (a: Corner, b: Corner): Place | null => {
    if (a.v >= level === b.v >= level) return null;
    const t = (level - a.v) / (b.v - a.v);
    return { x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y) };
  };
  const segments: [Place, Place][] = [];
  for (let r = 0; r <= rows; r++) {
    for (let c = 0; c <= columns; c++) {
      const a = corner(r, c), b = corner(r, c + 1), d = corner(r + 1, c + 1), e = corner(r + 1, c); // clockwise
      const top = crossing(a, b), right = crossing(b, d), bottom = crossing(d, e), left = crossing(e, a);
      if (top && right && bottom && left) { // a saddle: the middle says which corners belong together
        const withFirst = (a.v + b.v + d.v + e.v) / 4 >= level === a.v >= level;
        segments.push(withFirst ? [top, right] : [top, left], withFirst ? [bottom, left] : [right, bottom]);
        continue;
      }
      const [from, to] = [top, right, bottom, left].filter((p) => p !== null);
      if (from && to) segments.push([from, to]);
    }
  }
  return segments;
}
