import { beforeEach, describe, expect, it, vi } from "vitest";
import { Client } from "../../editor/src/api/client.ts";
import { History, stepBetween } from "../../editor/src/history.ts";
import { encodeHistory } from "../../editor/src/history_codec.ts";
import { decodeMap } from "../maps.ts";
import { Replay } from "../replay.ts";
import { giveContexts, mapText } from "./canvas.ts";

const start = [0, 0.25, 0.5, 0.75], first = [1, 0.25, 0.5, 0.75], second = [1, 0, 0.5, 0.75];
const state = (values: number[]) => Float32Array.from([...values, 0, 0, 0, 0]);

/** The strokes from the start to the second map, and one that was taken back. */
function painted(): History {
  const history = new History();
  for (const [label, before, after] of [["Brush", start, first], ["Erase", first, second], ["Clear", second, [0, 0, 0, 0]]] as const) {
    history.push(stepBetween(label, state([...before]), state([...after]), "painted", "painted")!);
  }
  history.undo(state([0, 0, 0, 0]));
  return history;
}

const find = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;
const shown = () => [...decodeMap(find("canvas").dataset["map"]!)!.values];
const words = () => find("[data-replay-words]").textContent;
let answer: object;
const client = new Client(() => Promise.resolve(new Response(JSON.stringify(answer), { headers: { "Content-Type": "application/json" } })));

beforeEach(() => {
  giveContexts();
  vi.useFakeTimers();
  document.body.innerHTML = `<div id="desk"><canvas data-of-edit data-map="${mapText(2, 2, second, true)}"></canvas>
    <span data-replay><button data-replay-play></button><input type="range" data-replay-at hidden><span data-replay-words></span></span></div>`;
  const wire = encodeHistory(painted(), state(second));
  answer = { id: 8, edit: { map: { h: 2, w: 2, values: second }, history: wire } };
});

describe("the strokes of an edit", () => {
  it("are replayed from what painting began with to the map as it is, without what was taken back", async () => {
    const replay = new Replay(find("#desk"), client, 8);
    expect(replay.press()).toBe(true);
    await vi.waitFor(() => { expect(find<HTMLInputElement>("[data-replay-at]").hidden).toBe(false); });
    expect([shown(), words()]).toEqual([start, "What painting began with"]);
    expect(find("#desk").hasAttribute("data-replaying")).toBe(true);
    await vi.advanceTimersByTimeAsync(500);
    expect([shown(), words()]).toEqual([first, "1 of 2: Brush"]);
    await vi.advanceTimersByTimeAsync(500);
    expect([shown(), words()]).toEqual([second, "2 of 2: Erase"]);
    expect([find("#desk").hasAttribute("data-replaying"), vi.getTimerCount()]).toEqual([false, 0]);
  });

  it("stop where the slider is moved to, and at another press", async () => {
    const replay = new Replay(find("#desk"), client, 8);
    replay.press();
    await vi.waitFor(() => { expect(words()).toBe("What painting began with"); });
    const slider = find<HTMLInputElement>("[data-replay-at]");
    slider.value = "1";
    slider.dispatchEvent(new Event("input"));
    await vi.advanceTimersByTimeAsync(5000);
    expect([shown(), slider.value]).toEqual([first, "1"]);
    replay.press();
    await vi.advanceTimersByTimeAsync(0);
    replay.press();
    await vi.advanceTimersByTimeAsync(5000);
    expect(shown()).toEqual(first);
  });

  it("are said to be missing where none are kept, and cannot be asked for where the page says so", async () => {
    answer = { id: 8, edit: { map: { h: 2, w: 2, values: second } } };
    new Replay(find("#desk"), client, 8).press();
    await vi.waitFor(() => { expect(words()).toBe("No strokes are kept of this map."); });
    document.body.innerHTML = `<div id="desk"></div>`;
    expect(new Replay(find("#desk"), client, 8).press()).toBe(false);
  });
});
