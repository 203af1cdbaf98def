// Sends maps, and shows what became of them without losing what was chosen. Without this script the form works all the same.
import { takeDrops, type Chosen } from "./drop.ts";
import { complain, progressOf, sendBody, size } from "./transfer.ts";
import { t, tn } from "../editor/src/words.ts";

const mostFiles = 100_000; // the studio takes fewer, and says so

/** The files of a drop that may be maps, by their endings; hidden files and notes beside them are not sent. */
export function mapFiles(files: readonly Chosen[], suffixes: readonly string[]): Chosen[] {
  return files.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX") && suffixes.some((suffix) => path.toLowerCase().endsWith(suffix)));
}

export function bringMaps(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-bring]");
  const input = form?.querySelector<HTMLInputElement>("input[name=maps]");
  const result = form?.querySelector<HTMLElement>("[data-bring-result]");
  const chosen = form?.querySelector<HTMLElement>("[data-bring-chosen]");
  const progress = form && progressOf(form);
  if (!form || !input || !result || !chosen || !progress) return;
  let dropped: Chosen[] | undefined;
  const say = (text: string): false => {
    complain(result, text);
    return false;
  };
  const place = form.querySelector<HTMLElement>("[data-drop]");
  if (place) takeDrops(place, mostFiles, (reading) => void reading.then((files) => {
    dropped = mapFiles(files, (form.dataset["suffixes"] ?? "").split(","));
    input.value = "";
    input.required = false; // a browser would not send the form
    result.replaceChildren();
    const left = files.length - dropped.length;
    chosen.hidden = false;
    chosen.textContent = tn(dropped.length, "{n} file, {size}", "{n} files, {size}", { size: size(dropped.reduce((sum, { file }) => sum + file.size, 0)) }) + (left ? t("; {left} that are no maps are not sent", { left }) : "");
  }));
  input.addEventListener("change", () => {
    dropped = undefined;
    input.required = chosen.hidden = true;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const files = dropped ?? [...(input.files ?? [])].map((file) => ({ file, path: file.name }));
    if (files.length === 0) {
      say(t("Choose the maps."));
      return;
    }
    const total = files.reduce((sum, { file }) => sum + file.size, 0), most = Number(form.dataset["max"] ?? "Infinity");
    if (total > most) {
      say(t("The maps have {total}, at most {most} are taken: bring them on the server with studio import-maps.", { total: size(total), most: size(most) }));
      return;
    }
    const body = new FormData(form, event.submitter);
    body.delete("maps");
    for (const { file, path } of files) body.append("maps", file, path);
    result.replaceChildren();
    sendBody(progress, form.action, body, (request) => {
      if (!request) return say(t("The upload broke off: the studio cannot be reached, or refused the files. Send them again: what is there already is not added twice."));
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const answer = page.querySelector("[data-bring-result]");
      if (answer) result.replaceChildren(...answer.children);
      else say(page.querySelector("main .empty p")?.textContent ?? t("The studio answered {status}.", { status: request.status }));
      result.scrollIntoView({ block: "nearest" });
      return false;
    });
  });
}
