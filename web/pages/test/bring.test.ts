import { beforeEach, describe, expect, it, vi } from "vitest";
import { bringMaps, mapFiles } from "../bring.ts";

/** XMLHttpRequest, as far as a transfer uses it. */
class Sending extends EventTarget {
  static last: Sending;
  readonly upload = new EventTarget();
  status = 0;
  responseText = "";
  body: FormData | undefined;
  constructor() {
    super();
    Sending.last = this;
  }
  open(): void { /* the address is the form's */ }
  send(body: FormData): void { this.body = body; }
  abort(): void { this.dispatchEvent(new Event("abort")); }
  answer(status: number, text: string): void {
    Object.assign(this, { status, responseText: text });
    this.dispatchEvent(new Event("load"));
  }
}

const find = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;
const result = () => find("[data-bring-result]").textContent;
const names = () => Sending.last.body!.getAll("maps").map((file) => (file as File).name);

function submit(submitter?: string): void {
  const event = new Event("submit", { cancelable: true });
  Object.defineProperty(event, "submitter", { value: submitter ? find(submitter) : null });
  find("form").dispatchEvent(event);
}

function choose(...files: File[]): void {
  Object.defineProperty(find("input[type=file]"), "files", { configurable: true, value: files });
  find("input[type=file]").dispatchEvent(new Event("change"));
}

beforeEach(() => {
  vi.stubGlobal("XMLHttpRequest", Sending);
  document.body.innerHTML = `<form data-bring data-max="100" data-suffixes=".npz,.npy" action="/projects/birds/maps"><div data-bring-result></div><p data-drop hidden></p>
    <input type="file" name="maps" required><p data-bring-chosen hidden></p><input name="author" value="Zoë">
    <div data-progress hidden><progress></progress><span role="status"></span></div>
    <button type="submit">Add</button><button type="submit" name="look" value="true">Count</button><button type="button" data-cancel hidden></button></form>`;
  bringMaps();
});

describe("maps on their way", () => {
  it("are told of beforehand where they cannot be taken", () => {
    submit();
    expect(result()).toBe("Choose the maps.");
    choose(new File(["x".repeat(101)], "a.npz"));
    submit();
    expect(result()).toContain("at most 0.1 kB are taken");
  });

  it("are counted and then added, without being chosen again", () => {
    choose(new File(["x"], "a.npz"));
    submit("[name=look]");
    expect([...Sending.last.body!.keys()].sort()).toEqual(["author", "look", "maps"]);
    expect([...document.querySelectorAll<HTMLButtonElement>("[type=submit]")].every((b) => b.disabled)).toBe(true);
    Sending.last.answer(200, `<main><div data-bring-result><p>2 would be added</p></div></main>`);
    expect(result()).toBe("2 would be added");
    expect(document.querySelectorAll("[type=submit]:disabled").length).toBe(0);
    submit();
    expect([...Sending.last.body!.keys()].sort()).toEqual(["author", "maps"]);
    expect(names()).toEqual(["a.npz"]);
    Sending.last.answer(503, `<main><div class="empty"><p>The studio is away</p></div></main>`);
    expect(result()).toBe("The studio is away");
    submit();
    Sending.last.dispatchEvent(new Event("error"));
    expect(result()).toContain("broke off");
  });

  it("are only the files that may be maps", () => {
    const all = ["m/a.npy", "m/B.NPY", "m/notes.txt", "m/.b.npy", "__MACOSX/m/a.npy", "m/.git/c.npy"].map((path) => ({ path, file: new File([], path) }));
    expect(mapFiles(all, [".npz", ".npy"]).map((f) => f.path)).toEqual(["m/a.npy", "m/B.NPY"]);
  });
});
