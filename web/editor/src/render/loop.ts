// One requestAnimationFrame loop: nothing is drawn in a frame in which nothing changed.

/**
 * What changed: the view or the picture, how the map is shown, values of the map, or what moves above it (cursor, sketch). The first
 * two draw everything anew, the others only where they were and are.
 */
export type Change = "picture" | "map" | "values" | "overlay";

export class RenderLoop {
  private readonly due = new Set<Change>();
  private scheduled = false;
  /** Milliseconds each of the last frames took to draw, newest last; for measuring. */
  readonly times: number[] = [];

  constructor(private readonly draw: (changes: ReadonlySet<Change>) => void) {}

  mark(...changes: Change[]): void {
    for (const change of changes) this.due.add(change);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.frame());
  }

  private frame(): void {
    this.scheduled = false;
    const start = performance.now();
    const changes = new Set(this.due);
    this.due.clear();
    this.draw(changes);
    this.times.push(performance.now() - start);
    if (this.times.length > 600) this.times.shift();
  }
}
