// A decision is on what has been seen: none is taken before what it is on has been drawn and has stood there for a moment, so that the
// second of two quick presses does not decide what came up meanwhile.

const moment = 500; // ms

const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));

/** Ends when pictures have been seen, once `ready` says that they can be drawn; `drawn` is called when they are. Fails as `ready` does. */
export async function seen(ready: Promise<unknown>, drawn: () => void = () => undefined): Promise<void> {
  await ready;
  await frame();
  await frame();
  drawn();
  await new Promise((passed) => setTimeout(passed, moment));
}
