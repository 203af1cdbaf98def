// Two versions of a map made into one, cell by cell. Where only one of the two changed what both began with, that one's cell stands; where
// both did, the person says: mine, theirs, or the mean.

export const sides = ["mine", "theirs", "mean"] as const;
export type Side = (typeof sides)[number];

/** Values and then marks, as a document's state has them. */
type State = Float32Array;

export class Merge {
  /** Cells in which the two differ. */
  readonly differing: readonly number[];
  /** Of them those that both changed; all, where it is not known what they began with. */
  readonly both: readonly number[];
  private readonly chosen = new Map<number, Side>();

  constructor(private readonly mine: State, private readonly theirs: State, began: State | null) {
    const cells = mine.length / 2;
    const same = (a: State, b: State, i: number) => Object.is(a[i], b[i]) && Object.is(a[i + cells], b[i + cells]);
    this.differing = Array.from({ length: cells }, (_, i) => i).filter((i) => !same(mine, theirs, i));
    this.both = this.differing.filter((i) => !began || (!same(mine, began, i) && !same(theirs, began, i)));
    for (const i of this.differing) this.chosen.set(i, began && same(mine, began, i) ? "theirs" : "mine");
  }

  /** Which side a cell is taken from; undefined where both have the same. */
  side(cell: number): Side | undefined {
    return this.chosen.get(cell);
  }

  /** What the two versions have in a cell. */
  values(cell: number): { readonly mine: number; readonly theirs: number } {
    return { mine: this.mine[cell] ?? 0, theirs: this.theirs[cell] ?? 0 };
  }

  /** Takes cells from a side: of those given, the ones that differ. */
  choose(side: Side, cells: Iterable<number> = this.both): void {
    for (const i of cells) if (this.chosen.has(i)) this.chosen.set(i, side);
  }

  /** How many cells each side gives. */
  count(): Record<Side, number> {
    const n = { mine: 0, theirs: 0, mean: 0 };
    for (const side of this.chosen.values()) n[side]++;
    return n;
  }

  /** The merged map. The mean of a cell that either has marked is the mark, mine before theirs: a mark has no half. */
  state(): State {
    const { mine, theirs } = this;
    const out = mine.slice();
    const cells = mine.length / 2;
    for (const [i, side] of this.chosen) {
      const mark = (mine[i + cells] ?? 0) || (theirs[i + cells] ?? 0);
      if (side === "theirs") [out[i], out[i + cells]] = [theirs[i] ?? 0, theirs[i + cells] ?? 0];
      if (side === "mean") [out[i], out[i + cells]] = [((mine[i] ?? 0) + (theirs[i] ?? 0)) / 2, mark];
    }
    return out;
  }
}
