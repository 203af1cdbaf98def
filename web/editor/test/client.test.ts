import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Client } from "../src/api/client.ts";
import { wireMap } from "../src/grid.ts";
import { passing, Problem, Unreachable } from "../src/api/problem.ts";
import { t } from "../src/words.ts";
import { FakeNetwork, savedEdit, type SentRequest } from "./editor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const map = wireMap(1, 2, Float32Array.of(0.1, 1));
const draft = { base_revision: 3, source: "painted", map, history: { v: 1 }, provenance: null } as const;

function asking(): { client: Client; network: FakeNetwork; sent: () => SentRequest } {
  const network = new FakeNetwork();
  return { network, client: new Client(network.fetch), sent: () => network.sent.at(-1)! };
}

const failed = (call: Promise<unknown>) => call.then(() => { throw new Error("it succeeded"); }, (error: unknown) => error);

describe("the API's client", () => {
  it("asks as the description says", async () => {
    const { client, network, sent } = asking();
    network.on("GET", /./, () => [200, {}]);
    network.on("POST", /./, () => [200, {}]);
    network.on("PUT", /./, () => [200, {}]);
    const calls: [Promise<unknown>, string, unknown?][] = [];
    const ask = (call: Promise<unknown>) => calls.push([call, `${sent().method} ${sent().path}`, sent().body]);
    ask(client.task(4));
    ask(client.claim(4));
    ask(client.renew(4));
    ask(client.release(4));
    ask(client.score(4, map));
    ask(client.activationMap(4, { method: "cam", branch: "attention", class: 2 }, new AbortController().signal));
    ask(client.save(4, draft));
    ask(client.submit(4, 3));
    ask(client.skip(4, "blurred"));
    ask(client.next("birds", { label: 2, q: "a b" }));
    ask(client.queue("a b", { label: 2 }, 20));
    expect(calls.map(([, line, body]) => [line, body])).toEqual([
      ["GET /tasks/4", {}],
      ["POST /tasks/4/claim", {}],
      ["POST /tasks/4/lease", {}],
      ["POST /tasks/4/release", {}],
      ["POST /tasks/4/score", { map: { h: 1, w: 2, values: [0.1, 1] } }],
      ["POST /tasks/4/activation-map", { method: "cam", branch: "attention", class: 2 }],
      ["PUT /tasks/4/draft", draft],
      ["POST /tasks/4/submit", { revision: 3 }],
      ["POST /tasks/4/skip", { reason: "blurred" }],
      ["POST /projects/birds/tasks/next?label=2&q=a%20b", {}],
      ["GET /tasks?label=2&project=a%20b&state=open&limit=20", {}],
    ]);
    await Promise.all(calls.map(([call]) => call));
  });

  it("gives what was answered; nothing where nothing is waiting", async () => {
    const { client, network } = asking();
    network.on("PUT", /./, () => [200, savedEdit(4, map)]);
    network.on("POST", /./, () => [204]);
    expect(await client.save(4, draft)).toEqual(savedEdit(4, map));
    expect(await client.next("birds", {})).toBeNull();
    await client.skip(4, "");
  });

  it("throws the server's problem, with what a stale save was overtaken by", async () => {
    const { client, network } = asking();
    const current = savedEdit(9, map);
    network.on("PUT", /./, () => [409, { title: "Stale", status: 409, detail: "made from revision 3", current }]);
    const error = await failed(client.save(4, draft));
    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({ status: 409, title: "Stale", detail: "made from revision 3", message: "made from revision 3", current });
    expect(passing(error)).toBe(false);
  });

  it("reads a proxy's error page by its status", async () => {
    const proxy = new Client(() => Promise.resolve(new Response("<html>Bad gateway</html>", { status: 502 })));
    const error = await failed(proxy.task(4));
    expect(error).toMatchObject({ status: 502, message: "HTTP 502", detail: "" });
    expect(passing(error)).toBe(true);
    const cut = new Client(() => Promise.resolve(new Response(new ReadableStream({ start: (c) => { c.error(new TypeError("cut")); } }), { status: 503 })));
    expect(await failed(cut.task(4))).toMatchObject({ status: 503, message: "HTTP 503" });
  });

  it("tells a network that fails from somebody who no longer wants to know", async () => {
    const { client, network, sent } = asking();
    network.on("GET", /./, () => "drop");
    const error = await failed(client.task(4));
    expect(error).toBeInstanceOf(Unreachable);
    expect((error as Error).message).toBe("GET /tasks/4: TypeError: fetch failed");
    expect(passing(error)).toBe(true);
    const stop = new AbortController();
    const call = failed(client.score(4, map, stop.signal));
    stop.abort();
    expect(sent().signal?.aborted).toBe(true);
    expect(await call).toMatchObject({ name: "AbortError" });
  });

  it("gives up after 20 s", async () => {
    const timeout = new AbortController();
    const after = vi.spyOn(AbortSignal, "timeout").mockReturnValue(timeout.signal);
    const { client } = asking();
    const call = failed(client.task(4));
    expect(after).toHaveBeenCalledWith(20_000);
    timeout.abort(new DOMException("too long", "TimeoutError"));
    expect(await call).toBeInstanceOf(Unreachable);
    after.mockRestore();
  });

  it("says whose page it is, but where it asks who is there", async () => {
    const of: (string | null)[] = [];
    const client = new Client((request) => {
      of.push(request.headers.get("Studio-Page-Of"));
      return Promise.resolve(new Response(JSON.stringify({ user: { id: 7 } })));
    });
    await client.task(4); // nobody has said yet
    client.user = 7;
    await client.save(4, draft);
    await client.signIn("ana@example.org", "secret", "");
    expect(of).toEqual([null, "7", null]);
  });

  it("is answered in the language of the page, also once the cookie that says it has gone", async () => {
    vi.stubGlobal("document", { documentElement: { lang: "ja" } });
    vi.resetModules();
    const { Client: OfPage } = await import("../src/api/client.ts");
    vi.stubGlobal("document", undefined);
    const asked: (string | null)[] = [];
    const client = new OfPage((request) => {
      asked.push(request.headers.get("Accept-Language"));
      return Promise.resolve(new Response(JSON.stringify({ user: { id: 7 } })));
    });
    await client.signIn("ana@example.org", "wrong", "");
    expect(asked[0]).toBe("ja");
  });

  it("lets only the save outlive the page that is made while it goes away", async () => {
    const kept: boolean[] = [];
    const client = new Client((request) => {
      kept.push(request.keepalive);
      return Promise.resolve(new Response("{}"));
    });
    await client.save(4, draft);
    await client.save(4, draft, true);
    expect(kept).toEqual([false, true]);
  });
});

describe("texts of scripts", () => {
  it("have whole numbers as people read them", () => {
    expect(t("{n} files, {share} of them, #{id}", { n: 5320, share: 0.5, id: "5320" })).toBe("5,320 files, 0.5 of them, #5320");
  });
});
