// The editor's entry: reads the task from the page, puts the parts together and opens it.

import { Client, type Selection } from "./api/client.ts";
import type { TaskDetail } from "./api/schema.d.ts";
import { Desk } from "./desk.ts";
import { Editor } from "./editor.ts";
import { Journal } from "./save/journal.ts";
import { Settings } from "./settings.ts";
import { mount } from "./ui/app.ts";

/** localStorage, or nothing where the browser forbids it. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function start(): void {
  const root = document.getElementById("editor");
  const data = document.getElementById("task");
  if (!root || !data) return;
  const detail = JSON.parse(data.textContent) as TaskDetail;
  const project = root.dataset["project"] ?? detail.project.slug;
  const editor = new Editor(new Settings(storage()), root.dataset["segmenter"] !== undefined);
  const client = new Client((request, init) => fetch(request, init));
  const selection = JSON.parse(document.getElementById("selection")?.textContent ?? "{}") as Selection;
  const desk = new Desk(editor, client, new Journal(storage()), Number(root.dataset["userId"]), selection, root.dataset["corrects"] !== undefined);
  const app = mount(root, desk, root.dataset["queue"] ?? `/projects/${project}/queue`);
  root.dataset["ready"] = "true";
  // For measuring and for tests in a browser: how long frames took to draw.
  Object.defineProperty(root, "frameTimes", { get: () => app.stage.loop.times });
  void desk.open(detail);
}

start();
