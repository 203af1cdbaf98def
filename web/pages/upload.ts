// Sends a model and shows how far it is. Without this script the form works all the same, silently.
import { duration } from "./clock.ts";
import { filesOf, type Chosen } from "./drop.ts";

const mostFiles = 4096; // a drop of somebody's home is no model

/** A size as people read it: 12.4 MB. */
export function size(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** What is sent: the parts of the form, and what was left out of those dropped. */
export interface Sorted {
  readonly model: Chosen[];
  readonly data: Chosen[];
  readonly manifest: Chosen[];
  readonly leftOut: Chosen[];
}

/**
 * Sorts dropped files by what they are to a model. A .json of the model's own name is its manifest, and then no other is asked; files
 * of PyTorch itself are left out.
 */
export function sorted(files: readonly Chosen[]): Sorted {
  const out = { model: [] as Chosen[], data: [] as Chosen[], manifest: [] as Chosen[], leftOut: [] as Chosen[] };
  for (const chosen of files) {
    const name = chosen.file.name.toLowerCase();
    if (name.endsWith(".onnx")) out.model.push(chosen);
    else if (/\.(onnx[._]data|data|weights?|bin)$/.test(name) && !name.startsWith("pytorch_model")) out.data.push(chosen);
    else if (name.endsWith(".json") || /^(classes|labels|imagenet_classes)\.txt$/.test(name)) out.manifest.push(chosen);
    else out.leftOut.push(chosen);
  }
  const own = out.model.length === 1 ? out.manifest.filter((m) => m.path.toLowerCase() === out.model[0]?.path.toLowerCase().replace(/\.onnx$/, ".json")) : [];
  if (own.length > 0) {
    out.leftOut.push(...out.manifest.filter((m) => !own.includes(m)));
    out.manifest = own;
  }
  return out;
}

/** What can be said of the files before they are sent; "" if nothing. */
export function refusal(files: Sorted, most: number): string {
  const [model, second] = files.model;
  if (!model) {
    const torch = files.leftOut.find((c) => /\.(pt|pth|safetensors)$/i.test(c.file.name));
    return torch ? `${torch.file.name} holds weights and no network: export it with torch.onnx.export first.` : "Choose an ONNX file.";
  }
  if (second) return `${model.path} and ${second.path} are two models: send one at a time.`;
  if (/\.(data|bin|weight|weights)$/i.test(model.file.name)) return `${model.file.name} is the data beside a model: choose the .onnx file, and this one as its data.`;
  if (model.file.size === 0) return `${model.file.name} is empty.`;
  const total = model.file.size + files.data.reduce((sum, d) => sum + d.file.size, 0);
  if (total > most) return `${model.file.name} has ${size(total)}, at most ${size(most)} are taken: add it on the server with studio model add.`;
  return "";
}

export function sendModels(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-upload]")) {
    const parts = partsOf(form);
    if (!parts) continue; // the form works all the same
    let dropped: Sorted | undefined;
    takeDrops(form, (files) => {
      dropped = sorted(files);
      parts.input.required = false; // a browser would not send the form
      showChosen(form, dropped);
      send(form, parts, dropped);
    });
    for (const input of form.querySelectorAll("input[type=file]")) {
      input.addEventListener("change", () => {
        dropped = undefined;
        parts.input.required = true;
        showChosen(form, undefined);
      });
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form, parts, dropped ?? chosenIn(form));
    });
  }
}

/** What a person chose in the form's fields. */
function chosenIn(form: HTMLFormElement): Sorted {
  const of = (name: string) =>
    [...(form.querySelector<HTMLInputElement>(`input[name=${name}]`)?.files ?? [])].map((file) => ({ file, path: file.name }));
  return { model: of("model"), data: of("data"), manifest: of("manifest"), leftOut: [] };
}

/** Lists what was dropped, and what of it is not sent. */
function showChosen(form: HTMLFormElement, files: Sorted | undefined): void {
  const list = form.querySelector<HTMLElement>("[data-upload-chosen]");
  if (!list) return;
  list.hidden = !files;
  const line = (what: string, { path, file }: Chosen) => {
    const item = document.createElement("li");
    item.textContent = `${path}, ${size(file.size)}: ${what}`;
    return item;
  };
  list.replaceChildren(
    ...(files?.model ?? []).map((f) => line("the model", f)),
    ...(files?.data ?? []).map((f) => line("its data", f)),
    ...(files?.manifest ?? []).map((f) => line("how pixels become its input", f)),
    ...(files?.leftOut ?? []).slice(0, 20).map((f) => line("not sent", f)),
  );
}

/** Calls take with the files that are dropped on a form's page, those of folders included. */
function takeDrops(form: HTMLFormElement, take: (files: Chosen[]) => void): void {
  const place = form.querySelector<HTMLElement>("[data-upload-drop]");
  if (!place) return;
  place.hidden = false;
  const over = (yes: boolean) => place.classList.toggle("over", yes);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(false);
    void filesOf(event.dataTransfer, mostFiles).then(take);
  });
}

/** What the form shows an upload with (templates/upload.templ). */
function partsOf(form: HTMLFormElement) {
  const input = form.querySelector<HTMLInputElement>("input[name=model]");
  const problem = form.querySelector<HTMLElement>("[data-upload-problem]");
  const row = form.querySelector<HTMLElement>("[data-upload-progress]");
  const bar = form.querySelector<HTMLProgressElement>("[data-upload-progress] progress");
  const words = form.querySelector<HTMLElement>("[data-upload-progress] [role=status]");
  const submit = form.querySelector<HTMLButtonElement>("button[type=submit]");
  const cancel = form.querySelector<HTMLButtonElement>("[data-upload-cancel]");
  return input && problem && row && bar && words && submit && cancel && { input, problem, row, bar, words, submit, cancel };
}

type Parts = NonNullable<ReturnType<typeof partsOf>>;

function send(form: HTMLFormElement, { problem, row, bar, words, submit, cancel }: Parts, files: Sorted): void {
  const say = (text: string) => {
    problem.replaceChildren();
    if (!text) return;
    const notice = document.createElement("p");
    notice.className = "notice notice-bad";
    notice.setAttribute("role", "alert");
    notice.textContent = text;
    problem.append(notice);
  };
  const sending = (yes: boolean) => {
    row.hidden = cancel.hidden = !yes;
    submit.disabled = yes;
  };

  const wrong = refusal(files, Number(form.dataset["max"] ?? "Infinity"));
  say(wrong);
  if (wrong) return;

  const request = new XMLHttpRequest(); // fetch tells nothing of how far an upload is
  const started = performance.now();
  request.upload.addEventListener("progress", (event) => {
    const seconds = (performance.now() - started) / 1000;
    bar.value = event.loaded / event.total;
    const left = event.loaded > 0 ? (seconds / event.loaded) * (event.total - event.loaded) : 0;
    words.textContent = event.loaded < event.total
      ? `${size(event.loaded)} of ${size(event.total)}${seconds > 1 ? `, ${duration(left)} left` : ""}`
      : "sent; looking into it…";
  });
  request.addEventListener("load", () => {
    if (request.status === 200 && request.responseURL.includes("/uploads/")) {
      location.assign(request.responseURL);
      return;
    }
    sending(false);
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    if (page.querySelector("details[data-upload-names][open]")) form.querySelector("details[data-upload-names]")?.setAttribute("open", "");
    say(page.querySelector("[data-upload-problem] .notice")?.textContent ?? page.querySelector("main .empty p")?.textContent ?? `The studio answered ${request.status}.`);
  });
  request.addEventListener("error", () => {
    sending(false);
    say("The upload broke off: the studio cannot be reached, or refused the file. Send it again.");
  });
  request.addEventListener("abort", () => sending(false));
  cancel.onclick = () => request.abort();
  request.open("POST", form.action);
  sending(true);
  bar.value = 0;
  words.textContent = "sending…";
  const body = new FormData();
  for (const input of form.querySelectorAll<HTMLInputElement>("[data-upload-names] input")) {
    if (input.value.trim()) body.append(input.name, input.value.trim());
  }
  for (const part of ["manifest", "model", "data"] as const) {
    for (const { file, path } of files[part]) body.append(part, file, path);
  }
  request.send(body);
}
