import { describe, expect, it } from "vitest";
import { pinsToMend, wordsFor } from "../src/ui/pins.ts";

const pin = (row: number) => ({ row, column: 0, words: "" });
const review = (verdict: string, row: number, taken_back_at?: string) => ({ verdict, pins: [pin(row)], ...(taken_back_at && { taken_back_at }) });

describe("what reviewers say to a painter", () => {
  it("is the verdict that asks for changes, until the map is approved or it is taken back", () => {
    expect(wordsFor({ state: "changes-requested", reviews: [review("reject", 1)] })).toHaveLength(1);
    expect(wordsFor({ state: "approved", reviews: [review("reject", 1), review("approve", 2)] })).toEqual([]);
    expect(wordsFor({ state: "submitted", reviews: [review("reject", 1, "2026-01-01")] })).toEqual([]);
  });

  it("is a correction, too, for as long as the map is the corrected one", () => {
    const corrected = { state: "approved", edit: { corrects: 1 }, reviews: [review("correct", 1), review("approve", 2)] };
    expect(pinsToMend(corrected)).toEqual([pin(1)]);
    const returned = { state: "changes-requested", edit: { corrects: 1 }, reviews: [review("correct", 1), review("reject", 2)] };
    expect(wordsFor(returned).map((r) => r.verdict)).toEqual(["correct", "reject"]);
    expect(pinsToMend(returned)).toEqual([pin(2)]);
    expect(wordsFor({ state: "submitted", edit: {}, reviews: [review("correct", 1)] })).toEqual([]); // painted again since
  });
});
