import { beforeEach, describe, expect, it, vi } from "vitest";
import { drawn, giveContexts, mapText } from "./canvas.ts";

const side = 2;
const own = [0, 0.25, 0.5, 0.75], edited = [1, 0, 0, 0];
const answer = { h: 1, w: 2, values: [-1, 4], min: -1, max: 4, class_name: "owl" };

interface Asked { address: string; method: string; body: unknown }
let asked: Asked[] = [];
let reply: (asked: Asked) => Response | undefined | Promise<Response>;
const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json" } });

const find = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;
const words = () => find("[data-method-words]").textContent;
const pressKey = (key: string, repeat = false) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, repeat, bubbles: true, cancelable: true }));
const pass = (ms: number) => new Promise((passed) => setTimeout(passed, ms));

function choose(method: string): void {
  const select = find<HTMLSelectElement>("[data-method]");
  select.value = method;
  select.dispatchEvent(new Event("change"));
}

const listening: [EventTarget, string, EventListener][] = []; // what the page before has put on the document and the window
for (const target of [document, window] as EventTarget[]) {
  const add = target.addEventListener.bind(target);
  target.addEventListener = (type: string, listener: EventListener) => {
    listening.push([target, type, listener]);
    add(type, listener);
  };
}

/** The part of the page of one edit, as the templates write it. */
const desk = (task: number, held: string, picture = "") => `<div data-desk="${task}" data-address="/projects/birds/review/${task}" data-title="Review #${task}" data-held="${held}" data-user="7" data-email="rui@example.org" data-waiting="3" data-tab="4"><h1>#${task} owl</h1>
    <div data-review><div class="panes">
    ${["", mapText(side, side, own, true), mapText(side, side, edited, true)].map((map, i) => `<div class="pane"><div data-stage><div class="stage-inner">${picture}${map && `<canvas class="of-${["", "own", "edit"][i] ?? ""}" data-map="${map}"></canvas>`}</div></div></div>`).join("")}
    </div><p id="probe"></p><button data-review-reset></button><input type="checkbox" data-review-cells></div>
    <select data-method><option value="">none</option><option value="cam attention" data-name="CAM">CAM, attention</option><option value="grad-cam perception" data-name="Grad-CAM">Grad-CAM, perception</option></select>
    <select data-method-class><option value="3">owl</option></select><p data-method-words></p><p data-method-probe></p>
    <div data-others data-task="${task}" hidden><figure><canvas data-other="own"></canvas></figure><figure><canvas data-other="edit"></canvas></figure></div>
    <form data-verdict><input type="hidden" name="edit" value="${100 + task}"><p data-hand></p><span data-waiting-count>3</span><input type="checkbox" name="reason" value="too wide"><input type="checkbox" name="reason" value="missed a part"><textarea></textarea>
    <button name="verdict" value="approve">Approve</button><button name="verdict" value="reject">Reject</button><button data-later data-key="n">Later</button></form>
    <div data-judged-before></div><template data-judged="approve"><form class="judged">You judged #${task}: approved <button>Take it back</button></form></template><template data-judged="reject"><form class="judged">You judged #${task}: changes requested <button>Take it back</button></form></template></div>`;

/** The page of one edit with its script. */
async function open(held = "mine", picture = "", state: unknown = null): Promise<void> {
  document.body.innerHTML = desk(8, held, picture);
  document.title = "Review #8 · ABN Studio";
  history.replaceState(state, "", "/projects/birds/review/8");
  await reopen();
}

/** Runs the script on the page that is there. */
async function reopen(): Promise<void> {
  for (const [target, type, listener] of listening.splice(0)) target.removeEventListener(type, listener);
  vi.resetModules();
  await import("../review.ts");
}

const judgeable = () => vi.waitFor(() => { expect(find("button[value=approve]").getAttribute("aria-disabled")).toBeNull(); }, 3000);
const of = (path: string) => asked.filter(({ address }) => address.endsWith(path));
let waiting: number[]; // what the studio hands out next

beforeEach(async () => {
  giveContexts();
  localStorage.clear();
  sessionStorage.clear();
  asked = [];
  waiting = [];
  reply = () => undefined;
  vi.stubGlobal("fetch", async (input: Request | URL | string, init?: RequestInit) => {
    const request = input instanceof Request ? input : undefined;
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    const text = request ? await request.text() : init?.body instanceof URLSearchParams ? init.body.toString() : ((init?.body as string | undefined) ?? "");
    const one = { address: url.pathname + url.search, method: request?.method ?? init?.method ?? "GET", body: text.startsWith("{") ? (JSON.parse(text) as unknown) : text };
    asked.push(one);
    const given = await reply(one);
    if (given) return given;
    if (one.address === "/projects/birds/review/next") {
      const task = waiting.shift();
      return task === undefined ? new Response(null, { status: 204 }) : new Response(desk(task, "mine"), { status: 200 });
    }
    return json({ id: 1 });
  });
  await open();
  await vi.waitFor(() => { expect(asked.length).toBe(1); });
});

describe("a review", () => {
  it("is followed by the next one, which is taken ahead and put in its place", async () => {
    waiting = [9, 10];
    await open();
    await judgeable();
    expect(of("/review/next").at(-1)!.body).toBe("part=review&after=8&except=8");
    pressKey("a");
    expect(find("[data-desk]").dataset["desk"]).toBe("8");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    expect([location.pathname + location.search, document.title]).toEqual(["/projects/birds/review/9?judged=8", "Review #9 · ABN Studio"]);
    expect(find(".judged").textContent).toContain("You judged #8: approved");
    expect(find("[data-waiting-count]").textContent).toBe("2");
    await vi.waitFor(() => { expect(of("/review/next").at(-1)!.body).toBe("part=review&after=9&except=9"); });
    expect(of("/edits/108/review").map(({ body }) => body)).toEqual([{ verdict: "approve" }]);
    expect(find<HTMLButtonElement>(".judged button").disabled).toBe(false);
    expect(of("/release")).toEqual([]);
    await judgeable();
    find<HTMLTextAreaElement>("textarea").value = "The tail";
    pressKey("x");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("10"); });
    expect(of("/edits/109/review").map(({ body }) => body)).toEqual([{ verdict: "reject", comment: "The tail" }]);
  });

  it("has the words of a verdict again once that is taken back, until they are deleted", async () => {
    waiting = [9];
    await open();
    await judgeable();
    const write = (words: string) => {
      find<HTMLTextAreaElement>("textarea").value = words;
      find<HTMLTextAreaElement>("textarea").dispatchEvent(new Event("input"));
    };
    write("The tail");
    find<HTMLInputElement>("input[value='too wide']").click();
    pressKey("x");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    await open(); // as taking it back leads to the review of 8
    await vi.waitFor(() => { expect(find<HTMLTextAreaElement>("textarea").value).toBe("The tail"); });
    expect(find<HTMLInputElement>("input[value='too wide']").checked).toBe(true);
    write("");
    await open();
    await judgeable();
    expect(find<HTMLTextAreaElement>("textarea").value).toBe("");
  });

  it("comes back with what was written if its verdict is refused", async () => {
    waiting = [9];
    reply = ({ address }) => (address.endsWith("/edits/108/review") ? json({ status: 409, detail: "Rose is reviewing task 8: go on to the next one" }, 409) : undefined);
    await open();
    await judgeable();
    const comment = find<HTMLTextAreaElement>("textarea");
    comment.value = "The tail is missing";
    comment.dispatchEvent(new Event("input"));
    pressKey("x");
    await vi.waitFor(() => { expect(find("[role=alert]").textContent).toBe("Your verdict is not stored: Rose is reviewing task 8: go on to the next one. What you wrote is kept here."); });
    expect([find("[data-desk]").dataset["desk"], find<HTMLTextAreaElement>("textarea").value, location.pathname]).toEqual(["8", "The tail is missing", "/projects/birds/review/8"]);
    // It is kept for a page that is opened later, until the verdict has arrived.
    await open();
    await vi.waitFor(() => { expect(find<HTMLTextAreaElement>("textarea").value).toBe("The tail is missing"); });
    reply = () => undefined;
    await judgeable();
    waiting = [11];
    pressKey("x");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("11"); });
    expect(localStorage.length).toBe(0);
  });

  it("is left for others on Later, and when the page goes", async () => {
    waiting = [9, 10];
    await open();
    await vi.waitFor(() => { expect(of("/review/next").length).toBe(2); });
    find("[data-later]").click();
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    expect(of("/release").map(({ address }) => address)).toEqual(["/api/v1/tasks/8/review/release"]);
    await vi.waitFor(() => { expect(of("/review/next").length).toBe(3); });
    await pass(20);
    dispatchEvent(new Event("pagehide"));
    await vi.waitFor(() => { expect(of("/release").map(({ address }) => address).slice(1)).toEqual(["/api/v1/tasks/9/review/release", "/api/v1/tasks/10/review/release"]); });
  });

  it("is found again with Back, as it is now; what one has to judge comes first then", async () => {
    waiting = [9, 10, 9];
    reply = ({ address, method }) => (method === "GET" && address.startsWith("/projects/birds/review/8?") ? new Response(desk(8, ""), { status: 200 }) : undefined);
    await open();
    await judgeable();
    pressKey("a");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    await vi.waitFor(() => { expect(of("/review/next").length).toBe(3); });
    history.replaceState(null, "", "/projects/birds/review/8"); // where Back leads
    dispatchEvent(new PopStateEvent("popstate"));
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("8"); });
    expect(asked.filter(({ method }) => method === "GET").map(({ address }) => address)).toEqual(["/projects/birds/review/8?part=review"]);
    await pass(20);
    expect([of("/release"), of("/review/next").length]).toEqual([[], 3]); // 8 is only looked at
    find("[data-later]").click();
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    expect(of("/review/next").map(({ body }) => body)).toContain("part=review&after=8&except=8");
  });

  it("says that nothing else waits, and stays", async () => {
    await open();
    find("[data-later]").click();
    await vi.waitFor(() => { expect(find("[role=alert]").textContent).toBe("Nothing else waits for you to review."); });
    expect(of("/release")).toEqual([]);
  });

  it("that is only looked at is taken once something is written, and again after a reload", async () => {
    waiting = [9];
    asked = [];
    await open("");
    await judgeable();
    expect([of("/claim"), of("/review/next")]).toEqual([[], []]); // nor is the one after it
    find("textarea").dispatchEvent(new Event("input"));
    await vi.waitFor(() => { expect(of("/claim").map(({ address }) => address)).toEqual(["/api/v1/tasks/8/review/claim"]); });
    await vi.waitFor(() => { expect(of("/review/next").length).toBe(1); });
    pressKey("a");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    await open("", "", { held: true });
    await vi.waitFor(() => { expect(of("/claim").length).toBe(2); });
  });

  it("that is only looked at is judged at once, and followed by the next", async () => {
    waiting = [9];
    asked = [];
    await open("");
    await judgeable();
    pressKey("a");
    await vi.waitFor(() => { expect(find("[data-desk]").dataset["desk"]).toBe("9"); });
    expect(of("/edits/108/review").map(({ body }) => body)).toEqual([{ verdict: "approve" }]);
  });

  it("is judged once its pictures are drawn and have been seen for a moment, and once", async () => {
    const drawing: (() => void)[] = [];
    const decoding = vi.spyOn(HTMLImageElement.prototype, "decode").mockImplementation(() => new Promise<void>((done) => drawing.push(done)));
    await open("mine", `<img>`);
    decoding.mockRestore();
    const sent = () => of("/edits/108/review").length;
    const approve = find<HTMLButtonElement>("button[value=approve]");
    pressKey("a");
    approve.click();
    for (const done of drawing) done();
    await pass(150);
    pressKey("a"); // as a second press does that was meant for the edit before
    approve.click();
    expect(sent()).toBe(0);
    expect(approve.getAttribute("aria-disabled")).toBe("true");
    await judgeable();
    pressKey("a", true);
    await pass(20);
    expect(sent()).toBe(0);
    pressKey("a");
    pressKey("a");
    await pass(20);
    expect(sent()).toBe(1);
  });

  it("is not sent back without a word", async () => {
    await judgeable();
    const comment = find<HTMLTextAreaElement>("textarea");
    find("button[value=reject]").click();
    await pass(20);
    expect([of("/edits/108/review").length, find("[data-told]").textContent]).toEqual([0, "Choose a reason, pin a cell, or say what should change: it goes back to its author."]);
    expect(document.activeElement).not.toBe(comment); // the next keys are the page's: 1 to 5 choose a reason
    comment.value = "The tail";
    comment.dispatchEvent(new Event("input"));
    find("button[value=reject]").click();
    await vi.waitFor(() => { expect([of("/edits/108/review").length, comment.validationMessage]).toEqual([1, ""]); });
    expect(document.querySelector("[data-told]")).toBeNull();
  });

  it("is sent back with a reason alone, by its number", async () => {
    await judgeable();
    for (const key of ["1", "1", "9"]) pressKey(key);
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "é", code: "Digit2", bubbles: true, cancelable: true })); // AZERTY
    pressKey("x");
    await vi.waitFor(() => { expect(of("/edits/108/review").map(({ body }) => body)).toEqual([{ verdict: "reject", reasons: ["missed a part"] }]); });
  });

  it("goes on in its place when its reviewer has signed in again, whose session had ended", async () => {
    await open();
    await judgeable();
    let ended = true;
    reply = ({ address, method }) => {
      if (address.endsWith("/session")) {
        ended = false;
        return method === "POST" ? json({ user: { id: 7 }, role: "reviewer" }) : undefined;
      }
      return ended ? json({ status: 401, title: "Not signed in", detail: "sign in" }, 401) : undefined;
    };
    pressKey("a");
    await vi.waitFor(() => { expect(find("[data-told]").textContent).toContain("Sign in again, then give it again"); });
    const dialog = find<HTMLDialogElement>("dialog.ask");
    await vi.waitFor(() => { expect(dialog.open).toBe(true); }, 3000);
    pressKey("a"); // belongs to the dialog
    expect(dialog.querySelector<HTMLInputElement>("input[type=email]")!.value).toBe("rui@example.org");
    dialog.querySelector<HTMLInputElement>("input[type=password]")!.value = "right";
    dialog.querySelector("form")!.requestSubmit();
    await vi.waitFor(() => { expect(dialog.open).toBe(false); });
    expect([document.querySelector("[data-told]"), of("/edits/108/review").length, find("[data-desk]").dataset["desk"]]).toEqual([null, 1, "8"]);
    pressKey("a");
    await vi.waitFor(() => { expect(of("/edits/108/review").length).toBe(2); });
  });

  it("is judged by A and X, not while a comment is written", async () => {
    await judgeable();
    find("textarea").dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
    await pass(20);
    expect(of("/edits/108/review")).toEqual([]);
    pressKey("a");
    await vi.waitFor(() => { expect(of("/edits/108/review").map(({ body }) => body)).toEqual([{ verdict: "approve" }]); });
  });

  it("is told what it lacks over what is above its buttons, where nothing moves", async () => {
    find("form[data-verdict]").insertAdjacentHTML("afterbegin", `<div class="verdict-row"></div>`);
    await judgeable();
    find("button[value=reject]").click();
    await vi.waitFor(() => { expect(find("[data-told]").parentElement!.className).toBe("verdict-row"); });
    expect(find("[data-told]").className).toContain("verdict-told");
    find("[data-told]").click();
    expect(document.querySelector("[data-told]")).toBeNull();
  });

  it("goes back to where the page was once a pin has its words, unless the person has scrolled", async () => {
    const told = `<div data-pin-field data-longest="200" data-most="9" hidden><ol data-pin-list></ol></div>`;
    for (const moved of [false, true]) {
      document.body.innerHTML = desk(8, "mine").replace("<textarea>", `${told}<textarea>`);
      await reopen();
      const stage = find("canvas.of-edit").closest<HTMLElement>("[data-stage]")!;
      const into = vi.spyOn(HTMLElement.prototype, "scrollIntoView").mockImplementation(() => { window.scrollTo(0, 121); });
      window.scrollTo(0, 0);
      for (const key of ["ArrowDown", "Enter"]) stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      const words = find<HTMLInputElement>("[data-pin-list] input");
      expect([document.activeElement === words, window.scrollY]).toEqual([true, 121]);
      if (moved) window.scrollTo(0, 300);
      words.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      await vi.waitFor(() => { expect(window.scrollY).toBe(moved ? 300 : 0); });
      await pass(5);
      expect(window.scrollY).toBe(moved ? 300 : 0);
      into.mockRestore();
    }
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
    reply = ({ body }) => json({ ...answer, max: (body as { map: { values: number[] } }).map.values[0] === 1 ? 4 : 2 });
    choose("grad-cam perception");
    expect(words()).toBe("Grad-CAM, perception branch: computing…");
    await vi.waitFor(() => { expect(words()).toBe("Grad-CAM, perception branch, for owl, 1 × 2 cells. Brightest: 4, of both. Darkest: 0 and below."); });
    expect(of("/activation-map").map(({ address, body }) => [address, body])).toEqual([own, edited].map((values) =>
      ["/api/v1/tasks/8/activation-map", { method: "grad-cam", branch: "perception", class: 3, map: { h: side, w: side, values } }]));
    expect([...document.querySelectorAll<HTMLCanvasElement>("[data-other]")].map((canvas) => drawn.get(canvas)?.width)).toEqual([2, 2]);
  });

  it("of the attention branch know no edit", async () => {
    reply = () => json({ ...answer, max: 0 });
    choose("cam attention");
    await vi.waitFor(() => { expect(words()).toContain("Nothing speaks for this class."); });
    expect(of("/activation-map").map(({ body }) => body)).toEqual([{ method: "cam", branch: "attention", class: 3 }]);
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
    expect(of("/activation-map").map(({ body }) => (body as { method: string }).method)).toEqual(["cam"]);
  });

  it("give way to those chosen later", async () => {
    let first!: (response: Response) => void;
    reply = () => new Promise((resolve) => { first = resolve; });
    choose("cam attention");
    await vi.waitFor(() => { expect(of("/activation-map").length).toBe(1); });
    reply = () => json(answer);
    choose("grad-cam perception");
    await vi.waitFor(() => { expect(words()).toContain("of both"); });
    first(json(answer, 500));
    await new Promise((done) => setTimeout(done));
    expect(words()).toContain("of both");
  });
});
