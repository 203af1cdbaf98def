// Sends a form's files and shows how far they are.
import { duration } from "./clock.ts";
import { t } from "../editor/src/words.ts";

/** A size as people read it: 12.4 MB. */
export function size(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** How far a transfer is, in bytes, and how many seconds are left; 0: that is not said. */
export const farWords = (done: number, total: number, left: number): string =>
  left > 0
    ? t("{n} of {total}, {time} left", { n: size(done), total: size(total), time: duration(left) })
    : t("{n} of {total}", { n: size(done), total: size(total) });

/** Says in a place of the page what is wrong; "": nothing is. */
export function complain(place: HTMLElement, text: string): void {
  place.replaceChildren();
  if (!text) return;
  const notice = document.createElement("p");
  notice.className = "notice notice-bad";
  notice.setAttribute("role", "alert");
  notice.textContent = text;
  place.append(notice);
}

/** What a form shows a transfer with: a row with a bar and words, the buttons that start it, and one that gives it up. */
export interface Progress {
  readonly row: HTMLElement;
  readonly bar: HTMLProgressElement;
  readonly words: HTMLElement;
  readonly submit: readonly HTMLButtonElement[];
  readonly cancel: HTMLButtonElement;
}

export function progressOf(form: HTMLFormElement): Progress | null {
  const row = form.querySelector<HTMLElement>("[data-progress]");
  const bar = form.querySelector<HTMLProgressElement>("[data-progress] progress");
  const words = form.querySelector<HTMLElement>("[data-progress] [role=status]");
  const submit = [...form.querySelectorAll<HTMLButtonElement>("button[type=submit]")];
  const cancel = form.querySelector<HTMLButtonElement>("[data-cancel]");
  return row && bar && words && cancel && { row, bar, words, submit, cancel };
}

/** Sends a body. done gets the answered request, or nothing if the studio was not reached; it returns whether another page comes, until when the form stays as it is. */
export function sendBody({ row, bar, words, submit, cancel }: Progress, address: string, body: FormData, done: (request?: XMLHttpRequest) => boolean): void {
  const sending = (yes: boolean) => {
    row.hidden = cancel.hidden = !yes;
    for (const button of submit) button.disabled = yes;
  };
  const request = new XMLHttpRequest(); // fetch tells nothing of how far an upload is
  const started = performance.now();
  request.upload.addEventListener("progress", (event) => {
    const seconds = (performance.now() - started) / 1000;
    bar.value = event.loaded / event.total;
    const left = event.loaded > 0 ? (seconds / event.loaded) * (event.total - event.loaded) : 0;
    words.textContent = event.loaded < event.total
      ? farWords(event.loaded, event.total, seconds > 1 ? left : 0)
      : t("sent; looking into it…");
  });
  request.addEventListener("load", () => {
    if (!done(request)) sending(false);
  });
  request.addEventListener("error", () => {
    sending(false);
    done();
  });
  request.addEventListener("abort", () => { sending(false); });
  cancel.onclick = () => { request.abort(); };
  request.open("POST", address);
  sending(true);
  bar.value = 0;
  words.textContent = t("sending…");
  request.send(body);
}
