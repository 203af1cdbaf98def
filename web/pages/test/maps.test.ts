import { beforeEach, describe, expect, it } from "vitest";
import { colorTable, differenceShade, shade } from "../../editor/src/colormap.ts";
import { decodeMap, drawMaps, mapOpacity, mapStretch } from "../maps.ts";
import { giveContexts, mapText, pixel } from "./canvas.ts";

const colour = (table: Uint8Array | Uint8ClampedArray, at: number) => table.slice(3 * at, 3 * at + 3).join(",");
const viridis = (v: number) => colour(colorTable("viridis"), shade(v));
const canvases = () => [...document.querySelectorAll("canvas")];

beforeEach(() => {
  giveContexts();
  localStorage.clear();
});

describe("a map of a page", () => {
  it("is read from bytes and from float32 values, to the bit", () => {
    expect(decodeMap(mapText(1, 2, [0, 1]))).toEqual({ rows: 1, columns: 2, values: Float32Array.of(0, 1) });
    expect(decodeMap(mapText(2, 1, [0.1, 0.7], true))).toEqual({ rows: 2, columns: 1, values: Float32Array.of(0.1, 0.7) });
    expect([decodeMap(""), decodeMap("1,2,")]).toEqual([null, null]);
  });

  it("is drawn in viridis, or as its difference to another", () => {
    document.body.innerHTML = `<canvas data-map="${mapText(1, 3, [0, 0.5, 1], true)}"></canvas>
      <canvas data-map="${mapText(1, 2, [0, 1], true)}" data-base="${mapText(1, 2, [0.5, 0.5], true)}"></canvas><canvas></canvas>`;
    drawMaps(document);
    const [map, difference, none] = canvases();
    expect([0, 1, 2].map((at) => pixel(map!, at))).toEqual([0, 0.5, 1].map(viridis));
    expect([0, 1].map((at) => pixel(difference!, at))).toEqual([-0.5, 0.5].map((d) => colour(colorTable("difference"), differenceShade(d))));
    expect(pixel(none!, 0)).toBeUndefined();
  });

  it("is stretched from its least to its largest value where that is ticked, and stays so", () => {
    const page = `<input type="checkbox" data-map-stretch><canvas data-map="${mapText(1, 2, [0.25, 0.5], true)}"></canvas>`;
    document.body.innerHTML = page;
    const [map] = canvases();
    mapStretch();
    drawMaps(document);
    expect(pixel(map!, 0)).toBe(viridis(0.25));
    document.querySelector("input")!.click();
    expect([pixel(map!, 0), pixel(map!, 1)]).toEqual([viridis(0), viridis(1)]);
    document.body.innerHTML = page; // the next one
    mapStretch();
    expect(document.querySelector("input")!.checked).toBe(true);
  });

  it("lies over its picture as strongly as the slider says, on the next page too", () => {
    const strength = () => document.documentElement.style.getPropertyValue("--map-opacity");
    document.body.innerHTML = `<input type="range" min="0" max="1" step="0.05" value="0.5" data-map-opacity>`;
    mapOpacity();
    expect(strength()).toBe("0.5");
    const slider = document.querySelector("input")!;
    slider.value = "0.8";
    slider.dispatchEvent(new Event("input"));
    expect(strength()).toBe("0.8");
    document.body.innerHTML = `<input type="range" min="0" max="1" step="0.05" value="0.5" data-map-opacity>`;
    mapOpacity();
    expect(document.querySelector("input")!.value).toBe("0.8");
  });
});
