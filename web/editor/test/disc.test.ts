import { describe, expect, it } from "vitest";
import { cellBox, coverDisc, footprintMass, quarterArea } from "../src/disc.ts";
import { sum } from "./editor.ts";

const grid = 16;

function coverage(x: number, y: number, rx: number, ry: number, hardness: number): Float64Array {
  const box = cellBox(x, y, rx, ry, grid, grid);
  const part = new Float64Array((box.right - box.left) * (box.bottom - box.top));
  coverDisc(x, y, rx, ry, hardness, box, part);
  const out = new Float64Array(grid * grid);
  for (let r = box.top; r < box.bottom; r++) {
    for (let c = box.left; c < box.right; c++) {
      out[r * grid + c] = part[(r - box.top) * (box.right - box.left) + c - box.left]!;
    }
  }
  return out;
}

describe("area of a brush's footprint in cells", () => {
  it("adds up to the footprint's weight wherever the brush stands", () => {
    for (const hardness of [0, 0.3, 0.5, 0.9, 1]) {
      for (const [rx, ry] of [[0.2, 0.2], [0.5, 0.5], [1.7, 1.7], [3.3, 2.1]] as const) {
        const want = footprintMass(rx, ry, hardness);
        for (const [x, y] of [[8, 8], [8.5, 8.5], [7.31, 8.77], [8.999, 7.001]] as const) {
          expect(sum(coverage(x, y, rx, ry, hardness))).toBeCloseTo(want, 9);
        }
      }
    }
  });

  it("is π r² for a hard brush, and the integral of the smoothstep for a soft one", () => {
    expect(footprintMass(2, 2, 1)).toBeCloseTo(Math.PI * 4, 12);
    let integral = 0; // 2π ∫ ρ (1 − smoothstep(ρ)) dρ over [0, 1]
    const n = 20000;
    for (let i = 0; i < n; i++) {
      const t = (i + 0.5) / n;
      integral += (2 * Math.PI * t * (1 - t * t * (3 - 2 * t))) / n;
    }
    expect(footprintMass(1, 1, 0)).toBeCloseTo(integral, 6);
  });

  it("changes a little when the brush moves a little, and never from 0 to 1", () => {
    for (const hardness of [0, 0.5, 1]) {
      let before = coverage(6, 7.3, 1.25, 1.25, hardness);
      for (let i = 1; i <= 200; i++) {
        const now = coverage(6 + i / 100, 7.3, 1.25, 1.25, hardness);
        const most = Math.max(...now.map((v, k) => Math.abs(v - before[k]!)));
        expect(most).toBeLessThan(0.025); // a hundredth of a cell moves at most two edges' worth
        before = now;
      }
    }
  });

  it("covers a cell fully inside and not at all outside", () => {
    const c = coverage(8.5, 8.5, 3, 3, 1);
    expect(c[8 * grid + 8]).toBeCloseTo(1, 12);
    expect(c[8 * grid + 12]).toBe(0);
  });

  it("agrees with sampling", () => {
    const [x, y, rx, ry] = [5.3, 6.8, 2.4, 1.3];
    const exact = coverage(x, y, rx, ry, 1);
    const n = 200;
    for (const [row, column] of [[6, 3], [7, 7], [5, 5], [6, 5]] as const) {
      let inside = 0;
      for (let i = 0; i < n * n; i++) {
        const u = column + ((i % n) + 0.5) / n;
        const v = row + (Math.floor(i / n) + 0.5) / n;
        if (((u - x) / rx) ** 2 + ((v - y) / ry) ** 2 < 1) inside++;
      }
      expect(exact[row * grid + column]).toBeCloseTo(inside / n / n, 2);
    }
  });

  it("has a quarter plane's area in every quarter", () => {
    expect(quarterArea(0, 0)).toBeCloseTo(Math.PI / 4, 12);
    expect(quarterArea(2, 2)).toBeCloseTo(Math.PI, 12);
    expect(quarterArea(0, 3)).toBeCloseTo(Math.PI / 2, 12);
    expect(quarterArea(-0.9, -0.9)).toBe(0);
    expect(quarterArea(0.9, 0.9) + 2 * (Math.PI - quarterArea(0.9, 3))).toBeCloseTo(Math.PI, 12);
  });
});
