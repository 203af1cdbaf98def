import { describe, expect, it } from "vitest";
import { contour } from "../src/render/contours.ts";

/** The ends of a line's segments, each with the number of segments that end there. */
function ends(segments: ReturnType<typeof contour>): Map<string, number> {
  const found = new Map<string, number>();
  for (const { x, y } of segments.flat()) {
    const at = `${x.toFixed(6)} ${y.toFixed(6)}`;
    found.set(at, (found.get(at) ?? 0) + 1);
  }
  return found;
}

describe("contours", () => {
  it("cross a slope where it has the value", () => {
    // Columns 0, 0.4, 0.8: the value 0.5 lies a quarter of the way from the second centre to the third.
    const places = contour([0, 0.4, 0.8, 0, 0.4, 0.8], 2, 3, 0.5).flat();
    for (const { x } of places) expect(x).toBeCloseTo(1.75, 6);
    expect([Math.min(...places.map(({ y }) => y)), Math.max(...places.map(({ y }) => y))]).toEqual([0, 2]); // from edge to edge
  });

  it("close around a hill, and end only at the edge", () => {
    const rows = 9, columns = 11;
    const hill = Float32Array.from({ length: rows * columns }, (_, i) => Math.exp(-(((i % columns) - 4) ** 2 + (Math.floor(i / columns) - 5) ** 2) / 6));
    for (const level of [0.25, 0.5, 0.75]) {
      const segments = contour(hill, rows, columns, level);
      expect(segments.length).toBeGreaterThan(6);
      for (const [at, times] of ends(segments)) expect([at, times]).toEqual([at, 2]);
    }
    const wave = Float32Array.from({ length: rows * columns }, (_, i) => 0.5 + 0.5 * Math.sin(i % columns) * Math.cos(Math.floor(i / columns) / 2)); // runs out of the picture
    for (const [at, times] of ends(contour(wave, rows, columns, 0.6))) {
      const [x, y] = at.split(" ").map(Number);
      expect([at, times]).toEqual([at, x === 0 || y === 0 || x === columns || y === rows ? 1 : 2]);
    }
  });

  it("part a saddle as its middle says, and draw nothing where there is nothing", () => {
    const saddle = [1, 0, 0, 1]; // its middle is 0.5
    const apart = (level: number) => Math.min(...contour(saddle, 2, 2, level).map(([p, q]) => Math.abs((p.x - p.y) - (q.x - q.y))));
    expect(apart(0.6)).toBeGreaterThan(apart(0.4)); // above the middle the lines go round each hill, below along the ridge between them
    expect(contour(new Float32Array(16), 4, 4, 0.25)).toEqual([]);
    expect(contour(new Float32Array(16).fill(1), 4, 4, 0.25)).toEqual([]);
  });
});
