// Seconds of work: the time between signs of life, where a pause counts for half a minute at most.

const longestPause = 30_000;

export class Stopwatch {
  private last = Date.now();
  private total = 0;

  sign(): void {
    const now = Date.now();
    this.total += Math.min(longestPause, now - this.last);
    this.last = now;
  }

  get seconds(): number {
    return Math.round(this.total / 1000);
  }
}
