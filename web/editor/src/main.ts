// The editor's entry: reads the task from the page, puts the parts together and opens it.

import { Client } from "./api/client.ts";
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
  const editor = new Editor(new Settings(storage()));
  const client = new Client((request, init) => fetch(request, init));
  const desk = new Desk(editor, client, new Journal(storage()));
  const app = mount(root, desk, root.dataset["queue"] ?? `/projects/${project}/queue`);
  root.dataset["ready"] = "true";
  // For measuring and for tests in a browser: how long frames took to draw.
  Object.defineProperty(root, "frameTimes", { get: () => app.stage.loop.times });
  // A page that the browser only prerenders takes no task until it is shown.
  const page = document as Document & { prerendering?: boolean };
  if (page.prerendering) document.addEventListener("prerenderingchange", () => void desk.open(detail), { once: true });
  else void desk.open(detail);
}

start();
