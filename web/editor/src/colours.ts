// The colours of the model's view, for the flood that follows them.

/** RGBA bytes of the model's view, row by row; its grid is finer than the map's. */
export interface Colours {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/** The longer side that colours are kept at: fine enough for the area of a cell, and small enough to fill at a click. */
export const colourSide = 224;

/**
 * Coverage of every cell by the pixels that are connected to the one at (x, y), given as shares of the view, and whose red, green and
 * blue each differ from its by at most `tolerance`.
 */
export function floodColours(
  { width, height, data }: Colours, rows: number, columns: number, x: number, y: number, tolerance: number,
): Float32Array {
  const out = new Float32Array(rows * columns);
  if (x < 0 || y < 0 || x >= 1 || y >= 1) return out;
  const start = Math.floor(y * height) * width + Math.floor(x * width);
  const [r, g, b] = [data[4 * start] ?? 0, data[4 * start + 1] ?? 0, data[4 * start + 2] ?? 0];
  const most = tolerance * 255;
  const alike = (pixel: number) =>
    Math.abs((data[4 * pixel] ?? 0) - r) <= most && Math.abs((data[4 * pixel + 1] ?? 0) - g) <= most && Math.abs((data[4 * pixel + 2] ?? 0) - b) <= most;
  const seen = new Uint8Array(width * height);
  const stack = [start];
  seen[start] = 1;
  const share = (rows * columns) / (width * height); // of a cell that a pixel covers
  const visit = (pixel: number) => {
    if (seen[pixel] || !alike(pixel)) return;
    seen[pixel] = 1;
    stack.push(pixel);
  };
  for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
    const column = pixel % width;
    const row = Math.floor(pixel / width);
    addPixel(out, rows, columns, (column / width) * columns, ((column + 1) / width) * columns, (row / height) * rows, ((row + 1) / height) * rows);
    if (column > 0) visit(pixel - 1);
    if (column < width - 1) visit(pixel + 1);
    if (row > 0) visit(pixel - width);
    if (row < height - 1) visit(pixel + width);
  }
  const full = 1 - share / 1e3; // sums of areas fall short of 1 by rounding
  for (let i = 0; i < out.length; i++) if ((out[i] ?? 0) > full) out[i] = 1;
  return out;
}

/** Adds the area of a rectangle, in cells, to the cells that it lies on. */
function addPixel(out: Float32Array, rows: number, columns: number, left: number, right: number, top: number, bottom: number): void {
  for (let row = Math.floor(top); row < Math.min(rows, bottom); row++) {
    const down = Math.min(row + 1, bottom) - Math.max(row, top);
    for (let column = Math.floor(left); column < Math.min(columns, right); column++) {
      const at = row * columns + column;
      out[at] = (out[at] ?? 0) + down * (Math.min(column + 1, right) - Math.max(column, left));
    }
  }
}
