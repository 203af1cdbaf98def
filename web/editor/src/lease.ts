// Renews the lease of a task while its person works on it, and reports when the lease is lost.

import { Problem } from "./api/problem.ts";

const every = 4 * 60_000; // a lease lasts 15 minutes
/** For a map in review, whose author may take it back at any time: nobody should judge for minutes what is no longer there. */
export const everyReview = 20_000;
const idle = 10 * 60_000; // after this long without a sign of life it is let go

export class LeaseKeeper {
  private lastSign = Date.now();
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(
    private readonly renew: () => Promise<unknown>,
    private readonly lost: (message: string) => void,
    pause = every, // ms between renewals
  ) {
    this.timer = setInterval(() => void this.tick(), pause);
  }

  /** The person did something. */
  sign(): void {
    const slept = Date.now() - this.lastSign > idle;
    this.lastSign = Date.now();
    if (slept) void this.tick();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async tick(): Promise<void> {
    if (Date.now() - this.lastSign > idle) return;
    try {
      await this.renew();
    } catch (error) {
      // A server that does not answer for a moment does not end the lease; if it has ended, the next save fails.
      if (error instanceof Problem && error.status === 409) this.lost(error.message);
    }
  }
}
