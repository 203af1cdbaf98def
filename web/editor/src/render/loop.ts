// One requestAnimationFrame loop with dirty flags: nothing is drawn in a frame in which nothing changed.

export type Layer = "picture" | "map" | "overlay";

export class RenderLoop {
  private readonly dirty = new Set<Layer>();
  private scheduled = false;
  /** Milliseconds each of the last frames took to draw, newest last; for measuring. */
  readonly times: number[] = [];

  constructor(private readonly draw: (layer: Layer) => void) {}

  mark(...layers: Layer[]): void {
    for (const layer of layers) this.dirty.add(layer);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.frame());
  }

  private frame(): void {
    this.scheduled = false;
    const start = performance.now();
    const layers = [...this.dirty];
    this.dirty.clear();
    for (const layer of layers) this.draw(layer);
    this.times.push(performance.now() - start);
    if (this.times.length > 600) this.times.shift();
  }
}
