import { describe, expect, it } from "vitest";
import { common, touched, within } from "../src/render/sheet.ts";

describe("pixels of the screen", () => {
  it("are all that a rectangle touches, at any ratio", () => {
    expect(touched({ x: 0.2, y: -3.5, width: 1, height: 2 }, 1)).toEqual({ x: 0, y: -4, width: 2, height: 3 });
    expect(touched({ x: 2, y: 2, width: 4, height: 1 }, 1.5)).toEqual({ x: 3, y: 3, width: 6, height: 2 });
  });

  const sheet = { x: 10, y: 20, width: 30, height: 40 };

  it("have in common what lies in both, or nothing where they only meet", () => {
    expect(common(sheet, { x: 0, y: 50, width: 15, height: 50 })).toEqual({ x: 10, y: 50, width: 5, height: 10 });
    expect(common(sheet, { x: 40, y: 20, width: 5, height: 5 })).toBeNull();
    expect(common(sheet, { x: 0, y: 0, width: 0, height: 0 })).toBeNull();
  });

  it("are within a sheet up to its last row and column", () => {
    expect(within(sheet, sheet)).toBe(true);
    for (const side of ["x", "y"] as const) expect(within({ ...sheet, [side]: sheet[side] - 1 }, sheet)).toBe(false);
    for (const side of ["width", "height"] as const) expect(within({ ...sheet, [side]: sheet[side] + 1 }, sheet)).toBe(false);
  });
});
