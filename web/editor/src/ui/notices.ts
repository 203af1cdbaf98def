// Notices: a reviewer's comment, why a map cannot be changed, and short messages.

import type { Desk } from "../desk.ts";
import type { Said } from "../save/journal.ts";
import { ago, digitsFor, probability } from "../format.ts";
import { calm } from "./calm.ts";
import { fill, h, say } from "./element.ts";
import { icon } from "./icons.ts";
import { language, said, t } from "../words.ts";
import { pinWords, wordsFor } from "./pins.ts";

/** What is to be marked, and what the network takes it for: in the bar, or in a line of its own where that has no room. */
export function aim(desk: Desk, place: "bar" | "line"): HTMLElement {
  const line = h(`p.aim.aim-${place}`, { "data-testid": `aim-${place}` });
  desk.on("opened", ({ label_name: truth, project, prediction, mechanism, why }) => {
    const answer = project.classes.find((c) => c.index === prediction.class)?.name ?? "";
    const says = prediction.correct ? t("the network says so too") : t("the network says {answer}", { answer });
    line.title = `${truth ? t("True class: {class}. ", { class: truth }) : ""}${mechanism.values}`;
    const told = place === "line" && why.includes(answer); // a narrow screen has no row for saying it twice
    fill(
      line, ...(truth ? marking(truth) : [h("strong", {}, t("No label"))]),
      !told && h("span.muted", {}, ` · ${says} (${probability(prediction.confidence, Math.min(3, digitsFor(prediction.confidence)))})`),
      ...(place === "line" ? [h("small.aim-why.muted", {}, why)] : []),
    );
  });
  return line;
}

/** "Mark the cardinal", with the class in an element of its own. */
function marking(truth: string): Node[] {
  const [before = "", after = ""] = t("Mark the {class}").split("{class}");
  return [h("span.muted", {}, before), h("strong", { "data-testid": "true-class" }, truth), ...(after ? [h("span.muted", {}, after)] : [])];
}

/** The reviewer's comment on the last revision that was sent back; it stays in sight while it is mended. */
export function reviewNote(desk: Desk): HTMLElement {
  const note = h("aside.review-note", { hidden: true, "data-testid": "review-comment", "aria-label": t("The reviewer's comment") });
  const words = ({ reasons = [], comment = "", pins = [] }: Said) => [
    ...(reasons.length > 0 ? [h("p", {}, h("strong", {}, reasons.map((r) => said(r)).join(", ")))] : []),
    ...(comment ? [h("p", {}, comment)] : []),
    ...pinWords(pins),
  ];
  desk.on("opened", (detail) => {
    const going = desk.said; // a reviewer who corrects the map has them in sight
    const told = desk.correcting ? [] : wordsFor(detail);
    note.hidden = told.length === 0 && Object.keys(going).length === 0;
    fill(
      note, icon("comment"),
      ...told.map((review) => {
        const when = new Date(review.created_at);
        const name = review.reviewer;
        return h(
          "div", {},
          h("strong", {}, review.verdict === "correct" ? t("{name} corrected the map", { name }) : t("{name} asks for changes", { name })),
          h("time", { datetime: review.created_at, title: when.toLocaleString(language) }, ago(Date.now() - when.getTime())),
          ...words(review));
      }),
      ...(told.length === 0 ? [h("div", {}, h("strong", {}, t("You say of it, to its painter")), ...words(going))] : []),
    );
  });
  return note;
}

/** One sentence at a time over the canvas, read out by screen readers, gone after some seconds. */
export function noticeLine(desk: Desk): HTMLElement {
  const line = h("p.notice-line", { role: "status", "aria-live": "polite", "data-testid": "notice" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stays = false; // it is said as long as the task is read only
  const tell = (words: string, lasting = false) => {
    say(line, words);
    stays = lasting;
    clearTimeout(timer);
    if (!lasting) timer = setTimeout(() => say(line, ""), Math.min(6000, Math.max(2000, 60 * words.length))); // as long as it takes to read: a picture is under it
  };
  desk.on("notice", (words) => tell(words));
  desk.on("phase", (phase) => {
    if (phase.kind === "reading") tell(phase.why, true);
    else if (stays) tell("");
  });
  return line;
}

/** Covers the canvas while there is nothing to paint on. */
export function curtain(desk: Desk, queue: string): HTMLElement {
  const words = h("p");
  const actions = h("div.row");
  const element = h("div.curtain", { "data-testid": "curtain" }, words, actions);
  const again = () => h("button.primary", { type: "button", onclick: () => void desk.next() }, t("Look again"));
  const toQueue = () => h("a.button", { href: queue }, t("Go to the queue"));
  desk.on("phase", (phase) => {
    element.hidden = phase.kind === "working" || phase.kind === "reading" || phase.kind === "sending";
    element.dataset["phase"] = phase.kind;
    if (phase.kind === "loading") {
      say(words, `${said(phase.what)}…`);
      fill(actions);
    } else if (phase.kind === "empty") {
      say(words, Object.keys(desk.selection).length > 0 ? t("Nothing of this selection of the queue is left to paint.") : t("No task is waiting. New ones appear here when a scan finds images that the model gets wrong, or when a reviewer sends one back."));
      fill(actions, toQueue(), again());
    } else if (phase.kind === "failed") {
      say(words, phase.message);
      fill(actions, again(), toQueue());
    }
  });
  return element;
}

const signs: Record<string, string> = { Enter: "⏎", Delete: "Del", Escape: "Esc" };

/** What can be done with a selection, where the selection is. */
export function selectionBar(desk: Desk): HTMLElement {
  const { editor } = desk;
  const bar = h("div.selection-bar", { hidden: true, role: "toolbar", "aria-label": t("Selection"), "data-testid": "selection" });
  const act = (label: string, key: string, run: () => void) =>
    h("button.small-button", { type: "button", "aria-keyshortcuts": key, onmousedown: (e: MouseEvent) => e.preventDefault(), onclick: run }, label, h("kbd", { "aria-hidden": "true" }, signs[key] ?? key));
  fill(
    bar,
    act(t("Fill"), "Enter", () => editor.fill()),
    act(t("Erase"), "Delete", () => editor.fill(true)),
    act(t("Keep inside"), "K", () => editor.whole("keep")),
    act(t("Let go"), "Escape", () => editor.deselect()),
  );
  calm(editor, () => (bar.hidden = !editor.document.selection || editor.readOnly || editor.comparing));
  return bar;
}
