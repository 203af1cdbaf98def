// Sends a segmenter's files and shows how far they are. Without this script the form works all the same, silently.
import { complain, progressOf, sendBody, size } from "./transfer.ts";
import { t } from "../editor/src/words.ts";

export function sendSegmenters(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-segmenter]")) {
    const problem = form.querySelector<HTMLElement>("[data-upload-problem]");
    const progress = progressOf(form);
    if (!problem || !progress) continue;
    const say = (text: string): false => {
      complain(problem, text);
      return false;
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const files = [...form.querySelectorAll<HTMLInputElement>("input[type=file]")].flatMap((input) => [...(input.files ?? [])]);
      const total = files.reduce((sum, file) => sum + file.size, 0);
      const most = Number(form.dataset["max"] ?? "Infinity");
      say(total > most ? t("The files have {total}, at most {most} are taken: add it on the server with studio model segmenter.", { total: size(total), most: size(most) }) : "");
      if (total > most) return;
      sendBody(progress, form.action, new FormData(form), (request) => {
        if (!request) return say(t("The upload broke off: the studio cannot be reached, or refused the files. Send them again."));
        const page = new DOMParser().parseFromString(request.responseText, "text/html");
        if (request.status !== 200) return say(page.querySelector("[data-upload-problem] .notice")?.textContent ?? page.querySelector("main .empty p")?.textContent ?? t("The studio answered {status}.", { status: request.status }));
        location.assign(form.action);
        return true;
      });
    });
  }
}
