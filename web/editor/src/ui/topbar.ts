// The bar on top: where we are, whether the work is saved, undo and redo, and what ends a task.

import type { TaskDetail } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { ago, baseName } from "../format.ts";
import type { SaveState } from "../save/autosave.ts";
import { button, fill, h, say } from "./element.ts";
import { icon } from "./icons.ts";
import { aim } from "./notices.ts";
import { said, t } from "../words.ts";

const noticed = 500; // ms from which on it is said that something takes a while: the button grows with its words, and moves those beside it

/** Words for a state of saving; the first is always there, the second where there is room. */
export function saveWords(state: SaveState, now: number, correcting = false): string {
  switch (state.kind) {
    case "untouched": return t("untouched");
    case "looking": return correcting ? t("kept here until you approve") : t("not taken yet");
    case "pending": return t("changed");
    case "saving": return t("saving…");
    case "saved": return t("saved {ago}", { ago: ago(now - state.at) });
    case "offline": return t("offline: kept here");
    case "conflict": return t("two versions");
    case "lost": return t("lease lost");
    case "signed-out": return t("signed out: kept here");
    case "outside": return t("no member: kept here");
    case "refused": return t("not saved");
  }
}

export function topBar(desk: Desk, actions: { release: () => void; skip: () => void; label: () => void; submit: () => void; decide: () => void; queue: string }): HTMLElement {
  const { editor } = desk;
  const crumbs = h("nav.crumbs", { "aria-label": t("Breadcrumb") });
  const words = h("span.save-words");
  const state = h("span.save-state", { id: "save-state", "data-testid": "save-state" }, h("span.save-dot"), words);
  const told = h("span.visually-hidden", { role: "status", "aria-live": "polite" }); // changes that matter, not the seconds
  const act = button("button.small-button", { hidden: true, onclick: actions.decide }, "");
  const undo = button("button.quiet.square", { id: "undo", "aria-label": t("Undo"), title: t("Undo (Ctrl+Z)"), onclick: () => editor.undo() }, icon("undo"));
  const redo = button("button.quiet.square", { id: "redo", "aria-label": t("Redo"), title: t("Redo (Ctrl+Shift+Z)"), onclick: () => editor.redo() }, icon("redo"));
  const release = button("button", { id: "release", title: t("Give the task back to the queue; what you painted stays with it"), "aria-label": t("Put back"), onclick: actions.release }, icon("tray"), h("span.put-back", {}, t("Put back")));
  const skip = button("button", { id: "skip", "data-keyed": t("Put this task aside ({Ctrl+ })"), onclick: actions.skip }, t("Skip"));
  const label = button("button.quiet", { id: "label-wrong", "data-keyed": t("The label is wrong ({t})"), "aria-label": t("The label is wrong"), onclick: actions.label }, icon("tag"), h("span.put-back", {}, t("Label")));
  const submitLabel = h("span", {}, t("Submit"));
  const submit = button("button.primary", { id: "submit", "data-keyed": t("Hand the map to review ({Ctrl+Enter})"), onclick: actions.submit }, submitLabel, h("kbd", { "data-key": "Ctrl+Enter" }));

  const showSave = () => {
    const now: SaveState = desk.signedOut ? { kind: "signed-out" } : desk.saveState;
    state.dataset["state"] = now.kind !== "signed-out" && desk.phase.kind === "reading" ? "readonly" : now.kind;
    const waits = desk.canTakeBack && !desk.correcting && !desk.signedOut;
    say(words, desk.signedOut ? saveWords(now, Date.now()) : desk.phase.kind === "reading" ? t("read only") : waits ? t("in review") : saveWords(now, Date.now(), desk.correcting));
    if (["offline", "conflict", "lost", "refused", "outside", "signed-out"].includes(now.kind)) say(told, saveWords(now, Date.now()));
    else if (now.kind === "saved" && told.textContent !== "") say(told, t("saved"));
    state.title = desk.correcting ? t("What you paint is kept in this browser, and stored once you approve it") : waits ? t("It waits for review. The first stroke takes it back") : now.kind === "looking" ? t("You look at this task. The first stroke takes it, and nobody else can paint it then") : "message" in now ? now.message : "";
    const out = now.kind === "signed-out";
    act.hidden = !out && (desk.correcting || !desk.canTakeBack && !["conflict", "lost", "looking"].includes(now.kind));
    say(act, out ? t("Sign in") : desk.canTakeBack ? t("Take it back") : now.kind === "conflict" ? t("Choose") : now.kind === "looking" ? t("Take it") : t("Take it again"));
  };
  const showHistory = () => {
    undo.disabled = editor.readOnly || !editor.document.history.canUndo;
    redo.disabled = editor.readOnly || !editor.document.history.canRedo;
  };
  let slow: ReturnType<typeof setTimeout> | undefined;
  const showPhase = () => {
    const working = desk.phase.kind === "working";
    release.disabled = label.disabled = skip.disabled = submit.disabled = !working;
    for (const decides of [label, skip, submit]) decides.ariaDisabled = desk.seen ? null : "true"; // a moment later they do
    const send = desk.correcting ? (desk.detail?.project.second_reviewer ? t("Hand on") : t("Approve")) : t("Submit");
    const sending = desk.phase.kind === "sending" && ["Submitting", "Approving"].includes(desk.phase.what);
    clearTimeout(slow);
    if (sending) slow = setTimeout(() => say(submitLabel, `${desk.phase.kind === "sending" ? said(desk.phase.what) : send}…`), noticed);
    else say(submitLabel, send);
    showSave();
  };
  if (desk.correcting) {
    skip.hidden = label.hidden = true;
    release.title = t("Back to the page Review; what you painted is kept in this browser");
    release.setAttribute("aria-label", t("Back"));
    say(release.querySelector("span") ?? release, t("Back"));
    submit.title = t("Approve the map with your changes (Ctrl+Enter)");
  }
  desk.on("opened", (detail) => {
    fill(crumbs, ...breadcrumb(detail, actions.queue, desk.correcting ? t("review") : t("queue")));
    showHistory();
  });
  desk.on("phase", showPhase);
  desk.on("seen", showPhase);
  for (const event of ["save", "signed-out", "signed-in"] as const) desk.on(event, showSave);
  editor.on("settled", showHistory);
  setInterval(() => editor.busy || showSave(), 1000); // during a stroke it would be drawn anew far from the brush

  return h(
    "header.editor-bar", {},
    h("a.brand", { href: "/projects", "aria-label": t("Projects") }, icon("mark")),
    crumbs, aim(desk, "bar"), h("span.grow"), state, told, act, h("span.grow"), undo, redo, label, release, skip, submit,
  );
}

function breadcrumb(detail: TaskDetail, queue: string, place: string): Node[] {
  return [
    h("a", { href: queue }, detail.project.name),
    icon("chevron"),
    h("a", { href: queue }, place),
    icon("chevron"),
    h("strong.image-name", { title: detail.image.name, "data-testid": "image-name" }, baseName(detail.image.name)),
  ];
}
