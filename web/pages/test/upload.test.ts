import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Chosen } from "../drop.ts";
import { refusal, sendModels, sorted } from "../upload.ts";

describe("a model that is not sent", () => {
  const file = (path: string, size = 12): Chosen => {
    const file = new File([], path.slice(path.lastIndexOf("/") + 1));
    Object.defineProperty(file, "size", { value: size });
    return { file, path };
  };
  it("is told why beforehand", () => {
    const of = (...model: Chosen[]) => ({ model, data: [], manifest: [], leftOut: [] });
    expect(refusal(of(), 1e9)).toBe("Choose an ONNX file.");
    expect(refusal(sorted([file("net.pth")]), 1e9)).toBe("net.pth holds weights and no network: export it with torch.onnx.export first.");
    expect(refusal(of(file("a.onnx")), 1e9)).toBe("");
    expect(refusal(of(file("a.onnx"), file("b/a.onnx")), 1e9)).toBe("a.onnx and b/a.onnx are two models: send one at a time.");
    expect(refusal(of(file("a.onnx", 0)), 1e9)).toBe("a.onnx is empty.");
    expect(refusal({ ...of(file("a.onnx", 1)), data: [file("a.onnx.data", 2.5e9)] }, 1e9)).toBe("a.onnx has 2.50 GB, at most 1.00 GB are taken: add it on the server with studio model add.");
    expect(refusal(of(file("model.onnx.data")), 1e9)).toMatch(/^model.onnx.data is the data beside a model/);
  });

  it("is sorted by what its files are", () => {
    const paths = (files: readonly Chosen[]) => files.map((f) => f.path);
    const some = sorted([file("n/abn.onnx"), file("n/abn.onnx.data"), file("n/preprocessor_config.json"), file("n/config.json"), file("n/README.md"), file("n/pytorch_model.bin")]);
    expect([paths(some.model), paths(some.data), paths(some.manifest), paths(some.leftOut)]).toEqual([
      ["n/abn.onnx"], ["n/abn.onnx.data"], ["n/preprocessor_config.json", "n/config.json"], ["n/README.md", "n/pytorch_model.bin"]]);
    const own = sorted([file("n/abn.onnx"), file("n/abn.json"), file("n/config.json")]);
    expect([paths(own.manifest), paths(own.leftOut)]).toEqual([["n/abn.json"], ["n/config.json"]]);
  });
});

describe("a model on its way", () => {
  /** XMLHttpRequest, as far as an upload uses it. */
  class Sending extends EventTarget {
    static last: Sending;
    readonly upload = new EventTarget();
    status = 0;
    responseURL = "";
    responseText = "";
    sent = false;
    address = "";
    constructor() {
      super();
      Sending.last = this;
    }
    open(_method: string, address: string): void { this.address = address; }
    send(): void { this.sent = true; }
    abort(): void { this.dispatchEvent(new Event("abort")); }
    progress(loaded: number, total: number): void { this.upload.dispatchEvent(new ProgressEvent("progress", { loaded, total, lengthComputable: true })); }
    answer(status: number, url: string, text = ""): void {
      Object.assign(this, { status, responseURL: url, responseText: text });
      this.dispatchEvent(new Event("load"));
    }
  }

  const find = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector)!;
  const shown = () => ({
    problem: find("[data-upload-problem]").textContent, words: find("[role=status]").textContent,
    sending: !find("[data-progress]").hidden && find<HTMLButtonElement>("[type=submit]").disabled && !find("[data-cancel]").hidden,
  });

  function submit(name = "a.onnx", size = 4_000_000): void {
    const files = size < 0 ? [] : [new File([], name)];
    for (const file of files) Object.defineProperty(file, "size", { value: size });
    Object.defineProperty(find("input"), "files", { configurable: true, value: files });
    find("form").dispatchEvent(new Event("submit", { cancelable: true }));
  }

  beforeEach(() => {
    vi.stubGlobal("XMLHttpRequest", Sending);
    document.body.innerHTML = `<form data-upload data-max="5000000" action="/projects/birds/versions"><div data-upload-problem></div>
      <input type="file" name="model"><button type="submit">Send</button><button type="button" data-cancel hidden>Cancel</button>
      <div data-progress hidden><progress></progress><span role="status"></span></div></form>`;
    sendModels();
  });

  it("is not sent where that is known to fail", () => {
    submit("a.onnx", -1);
    expect(shown()).toEqual({ problem: "Choose an ONNX file.", words: "", sending: false });
    expect(find("[data-upload-problem] p").getAttribute("role")).toBe("alert");
  });

  it("shows how far it is, and leads to the upload's page", () => {
    const went = vi.spyOn(location, "assign").mockImplementation(() => undefined);
    submit();
    expect(shown()).toEqual({ problem: "", words: "sending…", sending: true });
    expect(Sending.last.address).toContain("/projects/birds/versions");
    Sending.last.progress(1_000_000, 4_000_000);
    expect([shown().words, find<HTMLProgressElement>("progress").value]).toEqual(["1.0 MB of 4.0 MB", 0.25]);
    Sending.last.progress(4_000_000, 4_000_000);
    expect(shown().words).toBe("sent; looking into it…");
    Sending.last.answer(200, "http://studio.test/projects/birds/uploads/7");
    expect(went).toHaveBeenCalledWith("http://studio.test/projects/birds/uploads/7");
  });

  it("shows what the studio says against it", () => {
    submit();
    Sending.last.answer(422, "", `<div data-upload-problem><p class="notice">No attention map</p></div>`);
    expect(shown()).toMatchObject({ problem: "No attention map", sending: false });
    submit();
    Sending.last.answer(413, "", "<main><div class=empty><p>Too large</p></div></main>");
    expect(shown().problem).toBe("Too large");
    submit();
    Sending.last.answer(502, "", "");
    expect(shown().problem).toBe("The studio answered 502.");
  });

  it("says when it broke off, and can be given up", () => {
    submit();
    Sending.last.dispatchEvent(new Event("error"));
    expect(shown()).toMatchObject({ problem: "The upload broke off: the studio cannot be reached, or refused the file. Send it again.", sending: false });
    submit();
    find("[data-cancel]").click();
    expect(shown()).toMatchObject({ problem: "", sending: false });
  });
});
