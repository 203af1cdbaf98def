import { describe, expect, it } from "vitest";
import { imagePoint, mapPoint, Placement, screenPoint, Viewport } from "../src/geometry.ts";

const region = { x: 62.5, y: 0, width: 375, height: 375 };

describe("coordinates", () => {
  it("go from the screen to cells and back", () => {
    const viewport = Viewport.fit(960, 580, region).zoomed(2.3, screenPoint(200, 90)).panned(-31, 17);
    const placement = new Placement(region, 14, 14);
    for (const [x, y] of [[0, 0], [13.2, 4.75], [14, 14]] as const) {
      const back = placement.toMap(viewport.toImage(viewport.toScreen(placement.toImage(mapPoint(x, y)))));
      expect(back.x).toBeCloseTo(x, 9);
      expect(back.y).toBeCloseTo(y, 9);
    }
  });

  it("put the grid over exactly the model's view", () => {
    const placement = new Placement(region, 7, 14);
    expect(placement.toImage(mapPoint(0, 0))).toMatchObject({ x: 62.5, y: 0 });
    expect(placement.toImage(mapPoint(14, 7))).toMatchObject({ x: 437.5, y: 375 });
    expect(placement.cellAt(placement.toMap(imagePoint(62.6, 374.9)))).toBe(6 * 14);
    expect(placement.cellAt(placement.toMap(imagePoint(62.4, 10)))).toBe(-1);
    expect(placement.cellAt(mapPoint(14, 0))).toBe(-1);
  });

  it("keep the brush round on the picture where cells are not square", () => {
    const placement = new Placement(region, 7, 14);
    const { rx, ry } = placement.radii(2);
    expect(rx * placement.cellWidth).toBeCloseTo(ry * placement.cellHeight, 9);
    expect(rx * ry).toBeCloseTo(1, 9); // the area of a brush two cells across
  });

  it("fit the view in the middle and zoom about the pointer", () => {
    const fit = Viewport.fit(960, 580, region, 12);
    const a = fit.toScreen(imagePoint(region.x, region.y));
    const b = fit.toScreen(imagePoint(region.x + region.width, region.y + region.height));
    expect(b.y - a.y).toBeCloseTo(556, 6);
    expect((a.x + b.x) / 2).toBeCloseTo(480, 6);
    const at = screenPoint(321, 77);
    const under = fit.toImage(at);
    const zoomed = fit.zoomed(1.7, at);
    expect(zoomed.toScreen(under).x).toBeCloseTo(321, 6);
    expect(fit.zoomed(1e9, at).scale).toBe(64);
    const grown = fit.resized(1200, 700);
    expect(grown.toScreen(fit.toImage(screenPoint(480, 290)))).toMatchObject({ x: 600, y: 350 });
  });
});
