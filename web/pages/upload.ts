// Sends a model and shows how far it is. Without this script the form works all the same, silently.
import { takeDrops, type Chosen } from "./drop.ts";
import { complain, progressOf, sendBody, size } from "./transfer.ts";
import { t } from "../editor/src/words.ts";

const mostFiles = 4096; // a drop of somebody's home is no model

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
    return torch ? t("{name} holds weights and no network: export it with torch.onnx.export first.", { name: torch.file.name }) : t("Choose an ONNX file.");
  }
  if (second) return t("{one} and {other} are two models: send one at a time.", { one: model.path, other: second.path });
  if (/\.(data|bin|weight|weights)$/i.test(model.file.name)) return t("{name} is the data beside a model: choose the .onnx file, and this one as its data.", { name: model.file.name });
  if (model.file.size === 0) return t("{name} is empty.", { name: model.file.name });
  const total = model.file.size + files.data.reduce((sum, d) => sum + d.file.size, 0);
  if (total > most) return t("{name} has {total}, at most {most} are taken: add it on the server with studio model add.", { name: model.file.name, total: size(total), most: size(most) });
  return "";
}

export function sendModels(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-upload]")) {
    const parts = partsOf(form);
    if (!parts) continue; // the form works all the same
    let dropped: Sorted | undefined;
    const place = form.querySelector<HTMLElement>("[data-upload-drop]");
    if (place) takeDrops(place, mostFiles, (reading) => void reading.then((files) => {
      dropped = sorted(files);
      parts.input.required = false; // a browser would not send the form
      showChosen(form, dropped);
      send(form, parts, dropped);
    }));
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
    ...(files?.model ?? []).map((f) => line(t("the model"), f)),
    ...(files?.data ?? []).map((f) => line(t("its data"), f)),
    ...(files?.manifest ?? []).map((f) => line(t("how pixels become its input"), f)),
    ...(files?.leftOut ?? []).slice(0, 20).map((f) => line(t("not sent"), f)),
  );
}

/** What the form shows an upload with (templates/upload.templ). */
function partsOf(form: HTMLFormElement) {
  const input = form.querySelector<HTMLInputElement>("input[name=model]");
  const problem = form.querySelector<HTMLElement>("[data-upload-problem]");
  const progress = progressOf(form);
  return input && problem && progress && { input, problem, progress };
}

type Parts = NonNullable<ReturnType<typeof partsOf>>;

function send(form: HTMLFormElement, { problem, progress }: Parts, files: Sorted): void {
  const say = (text: string): false => {
    complain(problem, text);
    return false;
  };
  const wrong = refusal(files, Number(form.dataset["max"] ?? "Infinity"));
  say(wrong);
  if (wrong) return;

  const body = new FormData();
  for (const input of form.querySelectorAll<HTMLInputElement>("[data-upload-names] input")) {
    if (input.value.trim()) body.append(input.name, input.value.trim());
  }
  for (const part of ["manifest", "model", "data"] as const) {
    for (const { file, path } of files[part]) body.append(part, file, path);
  }
  sendBody(progress, form.action, body, (request) => {
    if (!request) return say(t("The upload broke off: the studio cannot be reached, or refused the file. Send it again."));
    if (request.status === 200 && request.responseURL.includes("/uploads/")) {
      location.assign(request.responseURL);
      return true;
    }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    if (page.querySelector("details[data-upload-names][open]")) form.querySelector("details[data-upload-names]")?.setAttribute("open", "");
    return say(page.querySelector("[data-upload-problem] .notice")?.textContent ?? page.querySelector("main .empty p")?.textContent ?? t("The studio answered {status}.", { status: request.status }));
  });
}
