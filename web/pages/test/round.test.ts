import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

/** uPlot, as far as the page uses it: it draws on a canvas, which no DOM here has. */
class Chart {
  static readonly all: Chart[] = [];
  readonly cursor = { idx: null };
  readonly root = document.createElement("div");
  constructor(_options: object, public data: unknown[][]) { Chart.all.push(this); }
  setData(data: unknown[][]): void { this.data = data; }
  destroy(): void { Chart.all.splice(Chart.all.indexOf(this), 1); }
}
vi.mock("uplot", () => ({ default: Chart }));
vi.mock("uplot/dist/uPlot.min.css", () => ({}));

/** The stream of a round's events. */
class Events extends EventTarget {
  static last: Events;
  closed = false;
  constructor(readonly address: string) {
    super();
    Events.last = this;
  }
  close(): void { this.closed = true; }
  tell(type: string, data?: unknown): void { this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) })); }
}

const point = (arm: string, step: number, more = {}) => ({ arm, step, epoch: step / 10, loss_att: 1, loss_per: 2, loss_map: 0.5, map_distance: 3, ...more });
const round = (more = {}, progress = {}) => ({
  state: "running", settings: { gamma: 0.5 },
  progress: { fraction: 0.25, step: 1000, steps: 4000, phase: "candidate", unit: "steps", remaining_seconds: 95, ...progress }, ...more,
});
const text = (of: string) => document.querySelector(of)?.textContent;
const reload = vi.fn();

async function open(state = "running", seeds = 1): Promise<Events> {
  document.body.innerHTML = `<article data-round="9" data-gamma="2" data-seeds="${seeds}" data-state="${state}"><div class="head"><span class="chip"></span></div>
    <div data-round-progress><progress data-fraction></progress><b data-percent></b><b data-steps></b><b data-remaining></b><p data-wait="room" hidden></p><p data-wait="files" hidden></p>
    <ol><li data-phase="features"></li><li data-phase="candidate"></li><li data-phase="control"></li></ol></div>
    <i data-curve="candidate"></i><i data-curve="control"></i><p data-curves-note></p><div data-chart="loss_per"></div><div data-chart="loss_map"></div><p data-latest="loss_map"></p></article>`;
  Chart.all.length = 0;
  vi.resetModules();
  await import("../round.ts");
  return Events.last;
}

beforeEach(() => {
  vi.stubGlobal("EventSource", Events);
  vi.stubGlobal("requestAnimationFrame", (draw: () => void) => { draw(); });
  vi.spyOn(location, "reload").mockImplementation(reload);
});
afterEach(() => void vi.resetAllMocks());

describe("a round's page", () => {
  it("says what the round waits for, until it goes on", async () => {
    const events = await open();
    const waits = () => [...document.querySelectorAll<HTMLElement>("[data-wait]")].filter((note) => !note.hidden).map((note) => note.dataset["wait"]);
    events.tell("round", round());
    expect(waits()).toEqual([]);
    events.tell("round", round({}, { waits: "room", remaining_seconds: 0 }));
    expect(waits()).toEqual(["room"]);
    expect(text("[data-steps]")).toBe("1,000 of 4,000 steps");
    events.tell("round", round());
    expect(waits()).toEqual([]);
  });

  it("draws both arms over the steps of either, the control's map loss at the candidate's γ", async () => {
    const events = await open();
    expect(events.address).toBe("/api/v1/rounds/9/events");
    events.tell("point", point("candidate", 20));
    events.tell("point", point("candidate", 10));
    events.tell("point", point("control", 10));
    const [per, map] = Chart.all;
    expect(per!.data).toEqual([[10, 20], [2, 2], [2, null]]);
    expect(map!.data).toEqual([[10, 20], [0.5, 0.5], [6, null]]);
    expect(text("[data-latest]")).toBe("0.500 · 6.000");
    expect(text("[data-curves-note]")).toBe("step 10, epoch 1.0");
  });

  it("draws the mean of an arm's seeds where all have a value, and each seed", async () => {
    const events = await open("running", 2);
    events.tell("point", point("candidate", 10, { seed: 1 }));
    events.tell("point", point("candidate", 20, { seed: 1 }));
    events.tell("point", point("candidate", 10, { seed: 2, loss_per: 4 }));
    expect(Chart.all[0]!.data).toEqual([[10, 20], [3, null], [null, null], [2, 2], [4, null], [null, null], [null, null]]);
  });

  it("draws no map loss of the control before the search for γ has told which it is", async () => {
    const events = await open();
    events.tell("point", point("candidate", 10));
    events.tell("round", round({ settings: { gamma: 1, gamma_search: true } }));
    events.tell("point", point("control", 10));
    expect(Chart.all[1]!.data).toEqual([[10], [0.5], [null]]);
    events.tell("round", round({ settings: { gamma: 1, gamma_search: true }, result: { gamma_search: { gamma: 3 } } }));
    events.tell("point", point("control", 10));
    expect(Chart.all[1]!.data).toEqual([[10], [0.5], [9]]);
  });

  it("shows how far the round is", async () => {
    const events = await open();
    events.tell("round", round());
    expect(["[data-percent]", "[data-steps]", "[data-remaining]", ".chip"].map(text)).toEqual(["25.0%", "1,000 of 4,000 steps", "2 min left", "running"]);
    expect([...document.querySelectorAll("li")].map((li) => li.className)).toEqual(["done", "now", ""]);
    events.tell("round", round({}, { steps: 0, remaining_seconds: 0 }));
    expect([text("[data-steps]"), text("[data-remaining]")]).toEqual(["starting", ""]);
    events.tell("round", round({}, { steps: 0, phase: "" }));
    expect(text("[data-steps]")).toBe("waiting for a worker");
    expect(reload).not.toHaveBeenCalled();
  });

  it("is loaded again once the round is over, for its result", async () => {
    const events = await open();
    events.tell("round", round({ state: "finished" }));
    expect(reload).toHaveBeenCalledTimes(1);
    events.tell("end");
    expect(events.closed).toBe(true);
  });

  it("of a round that was over stays, and says where nothing was recorded", async () => {
    const events = await open("failed");
    events.tell("round", round({ state: "failed" }));
    events.tell("end");
    expect(text("[data-curves-note]")).toBe("No step was recorded.");
    expect(reload).not.toHaveBeenCalled();
  });
});
