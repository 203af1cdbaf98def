// A 3×3 binomial blur (1 2 1)⊗(1 2 1)/16 on the grid, edges repeated: one step of "smooth".

/** The blurred map; `values` is unchanged. Constant maps stay as they are, and no value leaves [0,1]. */
export function blurred(values: Float32Array, rows: number, columns: number): Float32Array {
  const across = new Float64Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const at = (column: number) => values[r * columns + Math.min(columns - 1, Math.max(0, column))] ?? 0;
      across[r * columns + c] = (at(c - 1) + 2 * at(c) + at(c + 1)) / 4;
    }
  }
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const at = (row: number) => across[Math.min(rows - 1, Math.max(0, row)) * columns + c] ?? 0;
      out[r * columns + c] = (at(r - 1) + 2 * at(r) + at(r + 1)) / 4;
    }
  }
  return out;
}
