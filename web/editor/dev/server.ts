// A studio in miniature, to look at the editor without one: the page, pictures of a folder, and the API in memory.
// The scores are made up (a Gaussian "object" that the map must cover), everything else behaves as the studio does.
//
//   go tool esbuild web/editor/dev/server.ts --bundle --format=esm --platform=node | node --input-type=module - \
//     [--images DIR] [--port 4173] [--grid 14] [--mechanism 1+M|M|other]     from the root of the repository
//
// then open http://localhost:4173/projects/demo/tasks/1. ?fail=offline|conflict|lost makes the next save fail so.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { DraftBody, Edit, Map as WireMap, MapBody, Review, Scores, TaskDetail } from "../src/api/schema.d.ts";
import mechanisms from "../test/mechanisms.json";

const { values: flags } = parseArgs({
  options: { images: { type: "string" }, port: { type: "string", default: "4173" }, grid: { type: "string", default: "14" }, mechanism: { type: "string", default: "1+M" } },
});
const statics = join(process.cwd(), "web/static");
const grid = Number(flags.grid);
const mechanism = flags.mechanism as keyof typeof mechanisms;
const picturesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => /\.jpe?g$/i.test(f)).sort().slice(0, 40).map((f) => join(folder, f));
const images = flags.images ? picturesOf(flags.images) : [];
const classes = ["cardinal", "owl", "dove", "pelican", "kingfisher", "bluebird", "rock wren", "grey catbird"];

interface Task { id: number; state: TaskDetail["state"]; edits: Edit[]; reviews: Review[] }

const tasks: Task[] = Array.from({ length: 12 }, (_, i) => ({ id: i + 1, state: "open", edits: [], reviews: [] }));
let failing = "";

const bump = (cx: number, cy: number, s: number): number[] => Array.from({ length: grid * grid }, (_, i) => {
  const x = ((i % grid) + 0.5) / grid - cx, y = (Math.floor(i / grid) + 0.5) / grid - cy;
  return Math.fround(Math.exp(-(x * x + y * y) / (2 * s * s)) * 0.9 + 0.03);
});
const modelMap = (task: number): WireMap => ({ h: grid, w: grid, values: bump(0.25 + 0.05 * (task % 4), 0.75, 0.16) });
const object = bump(0.55, 0.42, 0.2);

/** An imagined network: the truth grows as attention lies on the object, the mistake as it lies off it. */
function score(values: number[]): Scores {
  let on = 0, off = 0;
  object.forEach((o, i) => { on += (values[i] ?? 0) * o; off += (values[i] ?? 0) * (1 - o); });
  const n = grid * grid;
  const logits = [18 * on / n - 0.2, 5 * off / n + 1, 0.4, 0, -0.3, -0.6, -1, -1.5];
  const e = logits.map(Math.exp), sum = e.reduce((a, b) => a + b, 0);
  const probabilities = e.map((v) => Math.fround(v / sum));
  const top = classes.map((name, c) => ({ class: c, name, probability: probabilities[c] ?? 0 })).sort((a, b) => b.probability - a.probability).slice(0, 5);
  return { probabilities, top, label: 0, correct: top[0]?.class === 0, milliseconds: 3.1 };
}

const edit = (id: number, t: Task, more: Pick<Edit, "revision" | "source" | "map" | "history">): Edit =>
  ({ id, task_id: t.id, version_id: 1, author_id: 7, author: "Ana", state: "draft", created_at: new Date().toISOString(), ...more });

function detail(t: Task): TaskDetail {
  const map = modelMap(t.id), answer = score(map.values);
  const file = images[(t.id - 1) % images.length];
  const latest = t.edits.at(-1);
  return {
    id: t.id, project_id: 1, image_id: t.id, version_id: 1, state: t.state, returned: t.reviews.length > 0, updated_at: new Date().toISOString(),
    image: { id: t.id, project_id: 1, source: "main", name: file?.split("/").slice(-2).join("/") ?? `train/cardinal/${String(t.id).padStart(4, "0")}.jpg`, split: "train", label: 0, hash: "", width: 500, height: 375 },
    label_name: "cardinal", why: "The network says owl with 60%: confidently wrong", prediction: { version_id: 1, image_id: t.id, class: 1, confidence: answer.top[0]?.probability ?? 0, correct: false, top: answer.top, att_class: 1, map },
    project: { id: 1, slug: "demo", name: "Aviary", description: "", feedback: "live", second_reviewer: false, sampling: { share: 100, newcomer: 20 }, start: { method: "model", radius: 0 }, mix: { confident: 100 }, overlap: { share: 0, painters: 2, seed: 1 }, check_share: 0, classes: classes.map((name, index) => ({ index, key: name, name })), created_at: "" },
    version: {
      id: 1, project_id: 1, number: 3, state: "active", created_at: new Date().toISOString(), model_hash: "ab12", extractor_hash: "cd34",
      manifest: { resize: 256, crop: [224, 224] }, gain: mechanism, grid_height: grid, grid_width: grid, bytes: 1e6, parameters: 1e5, scanned: 12,
    },
    mechanism: mechanisms[mechanism],
    ...(latest ? { edit: latest } : {}), reviews: t.reviews,
    ...(t.state === "leased" ? { lease: { user_id: 7, user_name: "Ana", expires_at: new Date(Date.now() + 9e5).toISOString(), mine: true } } : {}),
    view: { x: 62.5, y: 0, width: 375, height: 375 },
  };
}

const body = async <T>(r: IncomingMessage): Promise<T> => {
  let text = "";
  for await (const chunk of r.setEncoding("utf8")) text += chunk as string;
  return JSON.parse(text) as T;
};
const json = (w: ServerResponse, status: number, value?: unknown) => {
  w.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
  w.end(value === undefined ? "" : JSON.stringify(value));
};

function picture(w: ServerResponse, image: number, kind: string): void {
  const file = images[(image - 1) % images.length];
  if (file === undefined) {
    drawn(w, kind);
    return;
  }
  w.writeHead(200, { "Content-Type": "image/jpeg" });
  w.end(readFileSync(file));
}

/** What the API answers: a status and what is sent with it. */
async function api(r: IncomingMessage, path: string): Promise<[status: number, value?: unknown]> {
  if (path === "/tasks") {
    const open = tasks.filter((t) => t.state === "open").map(detail);
    return [200, { tasks: open, total: open.length }];
  }
  if (path.endsWith("/tasks/next")) {
    const t = tasks.find((t) => t.state === "leased") ?? tasks.find((t) => t.state === "open");
    if (!t) return [204];
    t.state = "leased";
    return [200, detail(t)];
  }
  const [, id, action] = /^\/tasks\/(\d+)\/?(\w*)$/.exec(path) ?? [];
  const t = tasks[Number(id) - 1];
  if (!t) return [404, { title: "Not found", status: 404 }];
  switch (action) {
    case "": return [200, detail(t)];
    case "claim": t.state = "leased"; return [200, detail(t)];
    case "lease": return [200, detail(t).lease];
    case "score": return [200, score((await body<MapBody>(r)).map?.values ?? [])];
    case "draft": {
      const sent = await body<DraftBody>(r);
      const current = t.edits.at(-1);
      if (failing === "offline") return [503, { title: "Away", status: 503 }];
      if (failing === "lost") return [409, { title: "Conflict", status: 409, detail: "Ben is painting this one" }];
      if (failing === "conflict" || (current?.revision ?? 0) !== sent.base_revision) {
        failing = "";
        const other = edit(99, t, { revision: (current?.revision ?? 0) + 1, source: "painted", map: { h: grid, w: grid, values: bump(0.5, 0.5, 0.1) } });
        t.edits.push(other);
        return [409, { title: "Stale", status: 409, detail: "stale", current: other }];
      }
      const { source, map = modelMap(t.id), history } = sent;
      const saved = edit(100 + t.edits.length, t, { revision: sent.base_revision + 1, source, map, history });
      t.edits.push(saved);
      return [200, saved];
    }
    case "submit": t.state = "submitted"; return [200, detail(t)];
    case "skip": t.state = "skipped"; return [204];
    default: return [404, { title: "Not found", status: 404 }];
  }
}

/** Without a folder of pictures, a drawn one. */
function drawn(w: ServerResponse, kind: string): void {
  const box = kind === "whole" ? "0 0 500 375" : "62.5 0 375 375";
  const [, , width, height] = box.split(" ");
  w.writeHead(200, { "Content-Type": "image/svg+xml" });
  w.end(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" width="${width}" height="${height}"><rect width="500" height="230" fill="#a9c7df"/><rect y="230" width="500" height="145" fill="#4d7fa3"/><ellipse cx="270" cy="160" rx="70" ry="52" fill="#b3382c"/><circle cx="325" cy="120" r="30" fill="#c2453a"/><path d="M352 118l26 8-26 8z" fill="#e0a63c"/><circle cx="334" cy="114" r="5"/></svg>`);
}

const page = (t: Task) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Editor</title>
<link rel="stylesheet" href="/static/studio.css"><link rel="stylesheet" href="/static/editor.css"><script type="module" src="/static/editor.js"></script></head>
<body class="editor-page"><main id="editor" data-task-id="${t.id}" data-project="demo" data-queue="/projects/demo/queue"></main><script type="application/json" id="task">${JSON.stringify(detail(t)).replace(/</g, "\\u003c")}</script></body></html>`;

const types: Record<string, string> = { css: "text/css", js: "text/javascript", woff2: "font/woff2", svg: "image/svg+xml" };
createServer((r, w) => {
  const url = new URL(r.url ?? "/", "http://localhost");
  failing = url.searchParams.get("fail") ?? failing;
  w.setHeader("Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'");
  const image = /^\/api\/v1\/images\/(\d+)\/picture$/.exec(url.pathname)?.[1];
  if (image) return picture(w, Number(image), url.searchParams.get("kind") ?? "view");
  if (url.pathname.startsWith("/api/v1")) {
    api(r, url.pathname.slice(7)).then((answer) => json(w, ...answer), (e: unknown) => json(w, 500, { title: String(e), status: 500 }));
    return;
  }
  if (url.pathname.startsWith("/static/")) {
    try {
      const file = readFileSync(join(statics, url.pathname.slice(8).replaceAll("..", "")));
      w.writeHead(200, { "Content-Type": types[url.pathname.split(".").pop() ?? ""] ?? "application/octet-stream" });
      w.end(file);
    } catch {
      json(w, 404);
    }
    return;
  }
  const t = tasks[Number(/\/tasks\/(\d+)/.exec(url.pathname)?.[1] ?? 1) - 1];
  if (!t) return json(w, 404, { title: "Not found", status: 404 });
  if (url.searchParams.has("rejected") && t.reviews.length === 0) t.reviews.push({ id: 1, edit_id: 100, revision: 1, reviewer_id: 8, reviewer: "Mia", verdict: "reject", reasons: [], pins: [{ row: 9, column: 3, words: "The branch" }], comment: "The branch is still amplified at the lower left: clear it, and cover the whole tail.", created_at: new Date(Date.now() - 7.2e6).toISOString() });
  if (t.state === "open") t.state = "leased";
  w.writeHead(200, { "Content-Type": "text/html" });
  w.end(page(t));
}).listen(Number(flags.port), "127.0.0.1", () => console.log(`http://localhost:${flags.port}/projects/demo/tasks/1`));
