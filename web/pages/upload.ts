// Sends a model and shows how far it is. Without this script the form works all the same, silently.
import { duration } from "./clock.ts";

/** A size as people read it: 12.4 MB. */
function size(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** What can be said of the chosen file before it is sent; "" if nothing. */
export function refusal(file: { name: string; size: number } | undefined, most: number): string {
  if (!file) return "Choose an ONNX file.";
  if (/\.(data|bin|weight|weights)$/i.test(file.name)) {
    return `${file.name} is external data, which is not taken. Save the model as one file: onnx.save(onnx.load("model.onnx"), "one.onnx")`;
  }
  if (file.size > most) return `${file.name} has ${size(file.size)}, at most ${size(most)} are taken: add it on the server with studio model add.`;
  if (file.size === 0) return `${file.name} is empty.`;
  return "";
}

export function sendModels(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-upload]")) {
    form.addEventListener("submit", (event) => {
      const parts = partsOf(form);
      if (!parts) return; // the form works all the same
      event.preventDefault();
      send(form, parts);
    });
  }
}

/** What the form shows an upload with (templates/uploads.templ). */
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

function send(form: HTMLFormElement, { input, problem, row, bar, words, submit, cancel }: Parts): void {
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

  const file = input.files?.[0];
  const wrong = refusal(file, Number(form.dataset["max"] ?? "Infinity"));
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
  request.send(new FormData(form));
}
