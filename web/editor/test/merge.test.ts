import { describe, expect, it } from "vitest";
import { Merge } from "../src/merge.ts";
import { levels } from "../src/marks.ts";

// Values of six cells, then their marks.
const state = (values: number[], marks: number[] = [0, 0, 0, 0, 0, 0]) => Float32Array.from([...values, ...marks]);
const began = state([0, 0, 0, 0, 0, 0.5]);
const mine = state([1, 0, 1, 0, 0.5, 0.5]);
const theirs = state([0, 1, 0.5, 0, 0.5, 0.5], [0, 0, 0, 0, 0, levels.unknown]);

describe("two versions of a map", () => {
  it("become one: each cell of who changed it, and the person says where both did", () => {
    const merge = new Merge(mine, theirs, began);
    expect([merge.differing, merge.both]).toEqual([[0, 1, 2, 5], [2]]);
    expect(merge.count()).toEqual({ mine: 2, theirs: 2, mean: 0 });
    expect(Array.from(merge.state())).toEqual([1, 1, 1, 0, 0.5, 0.5, 0, 0, 0, 0, 0, levels.unknown]);
    merge.choose("theirs");
    expect(merge.state()[2]).toBe(0.5);
    merge.choose("mean");
    expect(merge.state()[2]).toBe(0.75);
    merge.choose("mine", [1, 3]); // in cell 3 both have the same
    expect([merge.state()[1], merge.side(3)]).toEqual([0, undefined]);
  });

  it("ask for every cell that differs where it is not known what they began with", () => {
    const merge = new Merge(mine, theirs, null);
    expect(merge.both).toEqual([0, 1, 2, 5]);
    expect(Array.from(merge.state())).toEqual(Array.from(mine));
    merge.choose("mean");
    expect(Array.from(merge.state())).toEqual([0.5, 0.5, 0.75, 0, 0.5, 0.5, 0, 0, 0, 0, 0, levels.unknown]);
  });
});
