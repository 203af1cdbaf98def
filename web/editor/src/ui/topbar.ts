// The bar on top: where we are, whether the work is saved, undo and redo, and what ends a task.

import type { TaskDetail } from "../api/schema.d.ts";
import type { Desk } from "../desk.ts";
import { ago, baseName } from "../format.ts";
import type { SaveState } from "../save/autosave.ts";
import { button, fill, h, say } from "./element.ts";
import { icon } from "./icons.ts";
import { aim } from "./notices.ts";

/** Words for a state of saving; the first is always there, the second where there is room. */
export function saveWords(state: SaveState, now: number, correcting = false): string {
  switch (state.kind) {
    case "untouched": return "untouched";
    case "looking": return correcting ? "kept here until you approve" : "not taken yet";
    case "pending": return "changed";
    case "saving": return "saving…";
    case "saved": return `saved ${ago(now - state.at)}`;
    case "offline": return "offline: kept here";
    case "conflict": return "two versions";
    case "lost": return "lease lost";
    case "signed-out": return "signed out: kept here";
    case "refused": return "not saved";
  }
}

export function topBar(desk: Desk, actions: { release: () => void; skip: () => void; label: () => void; submit: () => void; decide: () => void; queue: string }): HTMLElement {
  const { editor } = desk;
  const crumbs = h("nav.crumbs", { "aria-label": "Breadcrumb" });
  const words = h("span.save-words");
  const state = h("span.save-state", { id: "save-state", "data-testid": "save-state" }, h("span.save-dot"), words);
  const told = h("span.visually-hidden", { role: "status", "aria-live": "polite" }); // changes that matter, not the seconds
  const act = button("button.small-button", { hidden: true, onclick: actions.decide }, "");
  const undo = button("button.quiet.square", { id: "undo", "aria-label": "Undo", title: "Undo (Ctrl+Z)", onclick: () => editor.undo() }, icon("undo"));
  const redo = button("button.quiet.square", { id: "redo", "aria-label": "Redo", title: "Redo (Ctrl+Shift+Z)", onclick: () => editor.redo() }, icon("redo"));
  const release = button("button", { id: "release", title: "Give the task back to the queue; what you painted stays with it", "aria-label": "Put back", onclick: actions.release }, icon("tray"), h("span.put-back", {}, "Put back"));
  const skip = button("button", { id: "skip", "data-keyed": "Put this task aside ({Ctrl+ })", onclick: actions.skip }, "Skip");
  const label = button("button.quiet", { id: "label-wrong", "data-keyed": "The label is wrong ({t})", "aria-label": "The label is wrong", onclick: actions.label }, icon("tag"), h("span.put-back", {}, "Label"));
  const submitLabel = h("span", {}, "Submit");
  const submit = button("button.primary", { id: "submit", "data-keyed": "Hand the map to review ({Ctrl+Enter})", onclick: actions.submit }, submitLabel, h("kbd", { "data-key": "Ctrl+Enter" }));

  const showSave = () => {
    const now = desk.saveState;
    state.dataset["state"] = desk.phase.kind === "reading" ? "readonly" : now.kind;
    const waits = desk.canTakeBack && !desk.correcting;
    say(words, desk.phase.kind === "reading" ? "read only" : waits ? "in review" : saveWords(now, Date.now(), desk.correcting));
    if (["offline", "conflict", "lost", "refused", "signed-out"].includes(now.kind)) say(told, saveWords(now, Date.now()));
    else if (now.kind === "saved" && told.textContent !== "") say(told, "saved");
    state.title = desk.correcting ? "What you paint is kept in this browser, and stored once you approve it" : waits ? "It waits for review. The first stroke takes it back" : now.kind === "looking" ? "You look at this task. The first stroke takes it, and nobody else can paint it then" : "message" in now ? now.message : "";
    act.hidden = desk.correcting || !desk.canTakeBack && !["conflict", "lost", "looking", "signed-out"].includes(now.kind);
    say(act, desk.canTakeBack ? "Take it back" : now.kind === "conflict" ? "Choose" : now.kind === "signed-out" ? "Sign in" : now.kind === "looking" ? "Take it" : "Take it again");
  };
  const showHistory = () => {
    undo.disabled = editor.readOnly || !editor.document.history.canUndo;
    redo.disabled = editor.readOnly || !editor.document.history.canRedo;
  };
  const showPhase = () => {
    const working = desk.phase.kind === "working";
    release.disabled = label.disabled = skip.disabled = submit.disabled = !working;
    const send = desk.correcting ? (desk.detail?.project.second_reviewer ? "Hand on" : "Approve") : "Submit";
    const sending = desk.phase.kind === "sending" && ["Submitting", "Approving"].includes(desk.phase.what);
    say(submitLabel, sending ? `${desk.phase.kind === "sending" ? desk.phase.what : ""}…` : send);
    showSave();
  };
  if (desk.correcting) {
    skip.hidden = label.hidden = true;
    release.title = "Back to the page Review; what you painted is kept in this browser";
    release.setAttribute("aria-label", "Back");
    say(release.querySelector("span") ?? release, "Back");
    submit.title = "Approve the map with your changes (Ctrl+Enter)";
  }
  desk.on("opened", (detail) => {
    fill(crumbs, ...breadcrumb(detail, actions.queue, desk.correcting ? "review" : "queue"));
    showHistory();
  });
  desk.on("phase", showPhase);
  desk.on("save", showSave);
  editor.on("settled", showHistory);
  setInterval(() => editor.busy || showSave(), 1000); // during a stroke it would be drawn anew far from the brush

  return h(
    "header.editor-bar", {},
    h("a.brand", { href: "/projects", "aria-label": "Projects" }, icon("mark")),
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
