import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { number } from "../src/format.ts";
import { normalised, resampled } from "../src/other_map.ts";
import { cellWords } from "../src/ui/status.ts";
import { classNames, image, task, TestEditor } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const side = 4;
const model = Array.from({ length: side * side }, (_, i) => i / 100);
const coarse = { method: "grad-cam", branch: "perception", class: 0, h: 2, w: 2, values: [-1, 0, 2, 4], min: -1, max: 4 };

async function opened(): Promise<TestEditor> {
  const t = await new TestEditor().open(side, model);
  t.network.on("POST", /activation-map$/, () => [200, coarse]);
  return t;
}

const asked = (t: TestEditor) => t.network.of("POST", /activation-map$/);

describe("another map", () => {
  it("is asked for the true class, with the edited map where the branch reads one", async () => {
    const t = await opened();
    t.desk.comparison.show("grad-cam-perception");
    await t.settle();
    expect(asked(t)[0]!.body).toEqual({ method: "grad-cam", branch: "perception", class: 0, map: { h: side, w: side, values: model } });
    expect(t.editor.other).toMatchObject({ rows: 2, columns: 2, values: Float32Array.of(0, 0, 0.5, 1) });
    t.desk.comparison.choose("answer");
    t.desk.comparison.show("cam-attention");
    await t.settle();
    expect(asked(t).at(-1)!.body).toEqual({ method: "cam", branch: "attention", class: 1 });
    expect(t.desk.comparison.title).toBe("CAM, attention branch, for owl");
    t.desk.comparison.choose(2);
    await t.settle();
    expect(asked(t).at(-1)!.body["class"]).toBe(2);
    expect(t.desk.comparison.className).toBe(classNames[2]);
  });

  it("is asked for once, and shown again at once", async () => {
    const t = await opened();
    for (const map of ["cam-attention", "model", "cam-attention", "edited", "cam-attention"] as const) {
      t.desk.comparison.show(map);
      await t.settle();
    }
    expect(asked(t).length).toBe(1);
    expect(t.desk.comparison.state.kind).toBe("shown");
  });

  it("never changes the edit, and nothing is painted under it", async () => {
    const t = await opened();
    t.desk.comparison.show("cam-perception");
    await t.settle();
    t.click(2, 2).key("Enter").key("+");
    t.editor.whole("clear");
    t.editor.undo();
    await t.wait(5000);
    expect(Array.from(t.values)).toEqual(Array.from(Float32Array.from(model)));
    expect(t.saves.length).toBe(0);
    expect(t.notices).toContain("Another map is shown: Esc leads back to the one that is painted");
    t.key("Escape").click(2, 2);
    expect(t.editor.other).toBeNull();
    expect(t.history.steps.length).toBe(1);
  });

  it("becomes the edit when asked to, as one step", async () => {
    const t = await opened();
    t.desk.comparison.show("grad-cam-perception");
    await t.settle();
    t.desk.comparison.useAsStart();
    expect(t.desk.comparison.state.kind).toBe("off");
    expect(Array.from(t.values)).toEqual(Array.from(resampled({ rows: 2, columns: 2, values: Float32Array.of(0, 0, 0.5, 1) }, side, side)));
    expect(t.history.steps.map((s) => s.label)).toEqual(["Start from Grad-CAM"]);
    await t.wait(5000);
    expect(t.saves.length).toBe(1);
    t.key("Ctrl+z");
    expect(t.editor.document.isModels).toBe(true);
  });

  it("says why there is none, and asks again when the connection is back", async () => {
    const t = await opened();
    t.network.on("POST", /activation-map$/, () => [422, { title: "Not valid", detail: "CAM is not possible: /fc/Relu" }]);
    t.desk.comparison.show("cam-perception");
    await t.settle();
    expect(t.desk.comparison.state).toEqual({ kind: "refused", why: "CAM is not possible: /fc/Relu" });
    expect(t.editor.other!.values.length).toBe(0); // the picture stands bare
    t.network.on("POST", /activation-map$/, () => "drop");
    t.desk.comparison.show("grad-cam-perception");
    await t.settle();
    expect(t.desk.comparison.state.kind).toBe("offline");
    t.network.on("POST", /activation-map$/, () => [200, coarse]);
    t.desk.online();
    await t.settle();
    expect(t.desk.comparison.state.kind).toBe("shown");
  });

  it("drops the answer to a question that has changed", async () => {
    const t = await opened();
    t.network.on("POST", /activation-map$/, () => "wait");
    t.desk.comparison.show("cam-attention");
    t.desk.comparison.show("cam-perception");
    expect(asked(t)[0]!.signal?.aborted).toBe(true);
    await asked(t)[1]!.reply(200, { ...coarse, values: [1, 1, 1, 1], max: 1 });
    await asked(t)[0]!.reply(200, coarse);
    expect(Array.from(t.editor.other!.values)).toEqual([1, 1, 1, 1]);
  });

  it("is asked for anew when the map under it changes, and left when another task comes", async () => {
    const t = await opened();
    t.desk.comparison.show("cam-perception");
    await t.settle();
    t.editor.document.replace("Other version", new Float32Array(side * side).fill(0.25)); // as a conflict does
    await t.settle();
    expect((asked(t)[1]!.body["map"] as { values: number[] }).values[0]).toBe(0.25);
    await t.desk.open(task(2, model, side));
    expect(t.desk.comparison.map).toBe("edited");
    expect(t.editor.comparing).toBe(false);
  });

  it("is walked through with A, and has the model's answer where no class is known", async () => {
    const t = await new TestEditor().open(side, model, { image: image(1) });
    t.network.on("POST", /activation-map$/, () => [200, coarse]);
    t.key("a");
    expect(t.desk.comparison.map).toBe("model");
    expect(t.editor.other!.values).toEqual(t.editor.document.model);
    t.key("a");
    expect(t.desk.comparison.map).toBe("cam-attention");
    expect(asked(t)[0]!.body["class"]).toBe(1);
    t.key("Shift+A").key("Shift+A").key("Shift+A");
    expect(t.desk.comparison.map).toBe("grad-cam-perception");
  });

  it("is read off where the cell is", async () => {
    const t = await opened();
    t.desk.comparison.show("grad-cam-perception");
    await t.settle();
    expect(cellWords(t.desk, 0).other).toBe("Grad-CAM −1");
    expect(cellWords(t.desk, side * side - 1).other).toBe("Grad-CAM 4");
    expect(cellWords(t.desk, side * (side - 1)).value).toBe("0.12");
  });
});

describe("values for display", () => {
  it("are divided by the largest, nothing below 0", () => {
    expect(Array.from(normalised([-3, 0, 1, 2], 2))).toEqual([0, 0, 0.5, 1]);
    expect(Array.from(normalised([-3, -1], -1))).toEqual([0, 0]);
  });

  it("keep their sum's middle when laid on a finer grid, and their bits on the same one", () => {
    const map = { rows: 1, columns: 3, values: Float32Array.of(0, 1, 0.1) };
    expect(resampled(map, 1, 3)).toEqual(map.values);
    expect(Array.from(resampled({ rows: 1, columns: 2, values: Float32Array.of(0, 1) }, 1, 4))).toEqual([0, 0.25, 0.75, 1]);
    expect(Array.from(resampled({ rows: 1, columns: 1, values: Float32Array.of(0.5) }, 2, 2))).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  it("are written to three digits", () => {
    expect([0, 3.14159, -0.5, 0.000123, 1234567].map(number)).toEqual(["0", "3.14", "−0.5", "1.2e−4", "1.2e+6"]);
  });
});
