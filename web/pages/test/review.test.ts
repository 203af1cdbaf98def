import { beforeEach, describe, expect, it, vi } from "vitest";
import { drawn, giveContexts, mapText } from "./canvas.ts";

const side = 2;
const own = [0, 0.25, 0.5, 0.75], edited = [1, 0, 0, 0];
const answer = { h: 1, w: 2, values: [-1, 4], min: -1, max: 4, class_name: "owl" };

interface Asked { address: string; body: Record<string, unknown>; signal: AbortSignal | null | undefined }
let asked: Asked[] = [];
let reply: (asked: Asked) => Response | Promise<Response>;
const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });

const find = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;
const words = () => find("[data-method-words]").textContent;
const pressKey = (key: string) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

function choose(method: string): void {
  const select = find<HTMLSelectElement>("[data-method]");
  select.value = method;
  select.dispatchEvent(new Event("change"));
}

const listening: [string, EventListener][] = []; // what the page before has put on the document
const add = document.addEventListener.bind(document);
document.addEventListener = (type: string, listener: EventListener) => {
  listening.push([type, listener]);
  add(type, listener);
};

/** The page of one edit, as the templates write it, with its script. */
async function open(picture = ""): Promise<void> {
  for (const [type, listener] of listening.splice(0)) document.removeEventListener(type, listener);
  document.body.innerHTML = `<div data-review><div class="panes">
    ${["", mapText(side, side, own, true), mapText(side, side, edited, true)].map((map) => `<div class="pane"><div data-stage><div class="stage-inner">${picture}${map && `<canvas data-map="${map}"></canvas>`}</div></div></div>`).join("")}
    </div><p id="probe"></p><button data-review-reset></button><input type="checkbox" data-review-cells></div>
    <select data-method><option value="">none</option><option value="cam attention" data-name="CAM">CAM, attention</option><option value="grad-cam perception" data-name="Grad-CAM">Grad-CAM, perception</option></select>
    <select data-method-class><option value="3">owl</option></select><p data-method-words></p><p data-method-probe></p>
    <div data-others data-task="8" hidden><figure><canvas data-other="own"></canvas></figure><figure><canvas data-other="edit"></canvas></figure></div>
    <form data-verdict><textarea></textarea><button value="approve">Approve</button><button value="reject">Reject</button></form>`;
  vi.resetModules();
  await import("../review.ts");
}

beforeEach(async () => {
  giveContexts();
  history.replaceState(null, "", "/projects/birds/review/8");
  asked = [];
  reply = () => json({ image_id: 5, version_id: 2 });
  vi.stubGlobal("fetch", (address: string, init?: RequestInit) => {
    const one = { address, body: JSON.parse((init?.body as string | undefined) ?? "{}") as Record<string, unknown>, signal: init?.signal };
    asked.push(one);
    return Promise.resolve(reply(one));
  });
  await open();
  await vi.waitFor(() => { expect(asked.length).toBe(1); });
  asked = [];
});

describe("a review", () => {
  it("fetches the next one's picture while this one is looked at", async () => {
    const pictures: string[] = [];
    vi.stubGlobal("Image", class { set src(address: string) { pictures.push(address); } });
    await open();
    await vi.waitFor(() => { expect(pictures).toEqual(["/api/v1/images/5/picture?kind=view&v=2"]); });
    expect(asked.at(-1)!.address).toBe("/api/v1/projects/birds/reviews/next?after=8");
    vi.unstubAllGlobals();
  });

  it("is judged once its pictures are drawn and have been seen for a moment, and once", async () => {
    const drawing: (() => void)[] = [];
    const decoding = vi.spyOn(HTMLImageElement.prototype, "decode").mockImplementation(() => new Promise<void>((done) => drawing.push(done)));
    await open(`<img>`);
    decoding.mockRestore();
    let sent = 0;
    const form = find<HTMLFormElement>("[data-verdict]");
    form.addEventListener("submit", (event) => {
      if (!event.defaultPrevented) sent++;
      event.preventDefault();
    });
    const approve = find<HTMLButtonElement>("button[value=approve]");
    const pass = (ms: number) => new Promise((passed) => setTimeout(passed, ms));
    pressKey("a");
    approve.click();
    for (const done of drawing) done();
    await pass(150);
    pressKey("a"); // as a second press does that was meant for the edit before
    approve.click();
    expect(sent).toBe(0);
    expect(approve.getAttribute("aria-disabled")).toBe("true");
    await vi.waitFor(() => { expect(approve.getAttribute("aria-disabled")).toBeNull(); }, 3000);
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", repeat: true, bubbles: true, cancelable: true }));
    expect(sent).toBe(0);
    pressKey("a");
    pressKey("a");
    expect(sent).toBe(1);
  });

  it("is not sent back without a word", async () => {
    await vi.waitFor(() => { expect(find("button[value=approve]").getAttribute("aria-disabled")).toBeNull(); }, 3000);
    const form = find<HTMLFormElement>("[data-verdict]"), comment = find<HTMLTextAreaElement>("textarea");
    const submit = (verdict: string) => {
      const event = new SubmitEvent("submit", { cancelable: true, submitter: find(`button[value=${verdict}]`) });
      return form.dispatchEvent(event);
    };
    expect([submit("reject"), comment.validationMessage]).toEqual([false, "Say what should change: it goes back to its author."]);
    comment.value = "The tail";
    comment.dispatchEvent(new Event("input"));
    expect([submit("reject"), comment.validationMessage]).toEqual([true, ""]);
  });

  it("is judged by A and X, not while a comment is written", async () => {
    await vi.waitFor(() => { expect(find("button[value=approve]").getAttribute("aria-disabled")).toBeNull(); }, 3000);
    const pressed: string[] = [];
    for (const button of document.querySelectorAll("button[value]")) button.addEventListener("click", (e) => { e.preventDefault(); pressed.push((e.target as HTMLButtonElement).value); });
    pressKey("a");
    pressKey("x");
    find("textarea").dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
    expect(pressed).toEqual(["approve", "reject"]);
  });

  it("zooms all panes as one, and reads both maps off under the pointer", () => {
    for (const stage of document.querySelectorAll<HTMLElement>("[data-stage]")) {
      stage.getBoundingClientRect = () => ({ left: 0, top: 0, width: 100, height: 100 }) as DOMRect;
      Object.defineProperties(stage, { clientWidth: { value: 100 }, clientHeight: { value: 100 }, hasPointerCapture: { value: () => false } });
    }
    const stage = find("[data-stage]");
    const move = (x: number, y: number) => {
      stage.dispatchEvent(new MouseEvent("pointermove", { clientX: x, clientY: y }));
      return find("#probe").textContent;
    };
    expect(move(75, 25)).toBe("row 1, column 2 · model 0.25 · edit 0.00");
    stage.dispatchEvent(new MouseEvent("dblclick", { clientX: 100, clientY: 100 }));
    const transforms = () => new Set([...document.querySelectorAll<HTMLElement>(".stage-inner")].map((inner) => inner.style.transform));
    expect([...transforms()]).toEqual(["translate(-100px, -100px) scale(2)"]);
    expect(move(25, 25)).toBe("row 2, column 2 · model 0.75 · edit 0.00");
    pressKey("0");
    expect([...transforms()]).toEqual(["translate(0px, 0px) scale(1)"]);
  });
});

describe("another method's maps", () => {
  it("are asked for with the model's map and with the edit, and drawn on one scale", async () => {
    reply = ({ body }) => json({ ...answer, max: (body["map"] as { values: number[] }).values[0] === 1 ? 4 : 2 });
    choose("grad-cam perception");
    expect(words()).toBe("Grad-CAM, perception branch: computing…");
    await vi.waitFor(() => { expect(words()).toBe("Grad-CAM, perception branch, for owl, 1 × 2 cells. Brightest: 4, of both. Darkest: 0 and below."); });
    expect(asked.map(({ address, body }) => [address, body])).toEqual([own, edited].map((values) =>
      ["/api/v1/tasks/8/activation-map", { method: "grad-cam", branch: "perception", class: 3, map: { h: side, w: side, values } }]));
    expect([...document.querySelectorAll<HTMLCanvasElement>("[data-other]")].map((canvas) => drawn.get(canvas)?.width)).toEqual([2, 2]);
  });

  it("of the attention branch know no edit", async () => {
    reply = () => json({ ...answer, max: 0 });
    choose("cam attention");
    await vi.waitFor(() => { expect(words()).toContain("Nothing speaks for this class."); });
    expect(asked.map(({ body }) => body)).toEqual([{ method: "cam", branch: "attention", class: 3 }]);
    expect([...document.querySelectorAll("figure")].map((figure) => figure.hidden)).toEqual([false, true]);
    choose("");
    expect(find("[data-others]").hidden).toBe(true);
  });

  it("say why there are none", async () => {
    reply = () => json({ title: "Not valid", detail: "CAM is not possible: /fc/Relu" }, 422);
    choose("cam attention");
    await vi.waitFor(() => { expect(words()).toBe("CAM is not possible: /fc/Relu"); });
    reply = () => new Response("<html>", { status: 502 });
    choose("cam attention");
    await vi.waitFor(() => { expect(words()).toBe("HTTP 502"); });
    reply = () => Promise.reject(new TypeError("fetch failed"));
    choose("cam attention");
    await vi.waitFor(() => { expect(words()).toBe("CAM, attention branch: the studio can't be reached. Choose it again when the connection is back."); });
  });

  it("are walked through with M", () => {
    pressKey("m");
    expect(asked.map(({ body }) => body["method"])).toEqual(["cam"]);
  });

  it("give way to those chosen later", async () => {
    let first!: (response: Response) => void;
    reply = () => new Promise((resolve) => { first = resolve; });
    choose("cam attention");
    const { signal } = asked[0]!;
    reply = () => json(answer);
    choose("grad-cam perception");
    expect(signal?.aborted).toBe(true);
    await vi.waitFor(() => { expect(words()).toContain("of both"); });
    first(json(answer, 500));
    await new Promise((done) => setTimeout(done));
    expect(words()).toContain("of both");
  });
});
