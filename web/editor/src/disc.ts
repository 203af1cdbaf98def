// The exact area that a brush's footprint covers of every cell of a grid.
//
// The footprint is an ellipse (a circle on the picture) of full weight out to `hardness` times its
// radius, then falling to nothing at its rim by the smoothstep 1 − 3t² + 2t³. Such a profile is a
// mixture of uniform discs of radius ρ with density −f′(ρ) = 6t(1−t), so a cell's coverage is a
// weighted mean of disc ∩ rectangle areas, each of which has a closed form. Nothing is sampled over
// space: coverage is continuous in the brush's position, and its sum over an unbounded grid is the
// footprint's weight whatever that position is.

/** Nodes on [0,1] and weights of 5-point Gauss–Legendre: exact to degree 9, and 6t(1−t)·ρ² has 4. */
const gauss: readonly (readonly [number, number])[] = [
  [0.04691007703066802, 0.11846344252809454],
  [0.23076534494715845, 0.23931433524968324],
  [0.5, 0.28444444444444444],
  [0.7692346550528415, 0.23931433524968324],
  [0.953089922969332, 0.11846344252809454],
];

/** Radii, as fractions of the footprint's, and weights of the discs that a hardness mixes. */
export function mixture(hardness: number): readonly (readonly [number, number])[] {
  const hard = Math.min(1, Math.max(0, hardness));
  if (hard > 0.995) return [[1, 1]];
  return gauss.map(([t, w]) => [hard + (1 - hard) * t, w * 6 * t * (1 - t)] as const);
}

/** Weight of the whole footprint in cells: π·rx·ry for a hard brush, less for a soft one. */
export function footprintMass(rx: number, ry: number, hardness: number): number {
  let mean = 0;
  for (const [radius, weight] of mixture(hardness)) mean += weight * radius * radius;
  return Math.PI * rx * ry * mean;
}

/** Area of the unit disc left of X = t. */
const leftOf = (t: number): number => t * Math.sqrt(1 - t * t) + Math.asin(t) + Math.PI / 2;

/** Area of the unit disc in the quarter plane X ≤ x, Y ≤ y. */
export function quarterArea(x: number, y: number): number {
  if (x <= -1 || y <= -1) return 0;
  if (x > 1) x = 1;
  if (y > 1) y = 1;
  if (x * x + y * y < 1) return (leftOf(x) + leftOf(y)) / 2 + x * y - Math.PI / 4;
  if (x < 0) return y < 0 ? 0 : leftOf(x); // the corner is outside the disc
  if (y < 0) return leftOf(y);
  return leftOf(x) + leftOf(y) - Math.PI;
}

/** A rectangle of cells: columns [left, right), rows [top, bottom). */
export interface CellBox {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The cells that a footprint can touch, clipped to the grid; may be empty. */
export function cellBox(x: number, y: number, rx: number, ry: number, columns: number, rows: number): CellBox {
  const clamp = (v: number, limit: number) => Math.min(limit, Math.max(0, v));
  return {
    left: clamp(Math.floor(x - rx), columns),
    top: clamp(Math.floor(y - ry), rows),
    right: clamp(Math.ceil(x + rx), columns),
    bottom: clamp(Math.ceil(y + ry), rows),
  };
}

let corners = new Float64Array(0);

/**
 * Coverage in [0,1] of each cell of `box` by the footprint at (x, y), row by row into `out`, which
 * must hold (right−left)·(bottom−top) numbers. All lengths are in cells.
 */
export function coverDisc(
  x: number, y: number, rx: number, ry: number, hardness: number, box: CellBox, out: Float64Array,
): void {
  const columns = box.right - box.left;
  const rows = box.bottom - box.top;
  if (columns <= 0 || rows <= 0) return;
  const stride = columns + 1;
  if (corners.length < stride * (rows + 1)) corners = new Float64Array(stride * (rows + 1));
  out.fill(0, 0, columns * rows);
  for (const [fraction, weight] of mixture(hardness)) {
    const ax = rx * fraction;
    const ay = ry * fraction;
    for (let r = 0; r <= rows; r++) {
      const v = (box.top + r - y) / ay;
      for (let c = 0; c <= columns; c++) corners[r * stride + c] = quarterArea((box.left + c - x) / ax, v);
    }
    const scale = weight * ax * ay; // the ellipse is the unit disc stretched by ax and ay
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const k = r * stride + c;
        const area =
          (corners[k] ?? 0) + (corners[k + stride + 1] ?? 0) - (corners[k + 1] ?? 0) - (corners[k + stride] ?? 0);
        const i = r * columns + c;
        if (area > 0) out[i] = (out[i] ?? 0) + area * scale;
      }
    }
  }
  for (let i = 0; i < columns * rows; i++) if ((out[i] ?? 0) > 1) out[i] = 1;
}
