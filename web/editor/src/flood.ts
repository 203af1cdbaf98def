// Flood fill: the cells connected to one cell (by their sides) whose values are close to its own.

/** Coverage 1 on the cells reached from `start` while values differ from its by at most `tolerance`. */
export function flood(
  values: Float32Array, rows: number, columns: number, start: number, tolerance: number,
): Float32Array {
  const out = new Float32Array(values.length);
  const seed = values[start];
  if (seed === undefined) return out;
  const stack = [start];
  out[start] = 1;
  for (let cell = stack.pop(); cell !== undefined; cell = stack.pop()) {
    const column = cell % columns;
    const visit = (next: number) => {
      if (out[next] === 0 && Math.abs((values[next] ?? 0) - seed) <= tolerance) {
        out[next] = 1;
        stack.push(next);
      }
    };
    if (column > 0) visit(cell - 1);
    if (column < columns - 1) visit(cell + 1);
    if (cell >= columns) visit(cell - columns);
    if (cell < columns * (rows - 1)) visit(cell + columns);
  }
  return out;
}
