// Puts the editor's parts on the page and connects them with the desk.

import type { TaskDetail } from "../api/schema.d.ts";
import { regionWords } from "../cell_region.ts";
import type { Desk } from "../desk.ts";
import { keyDown, keyUp } from "../input/keys.ts";
import { answerPanel } from "./answer.ts";
import { comparisonBar } from "./comparison.ts";
import { Dialogs } from "./dialogs.ts";
import { button, h, say } from "./element.ts";
import { filmStrip } from "./filmstrip.ts";
import { hintBar } from "./hint.ts";
import { icon } from "./icons.ts";
import { keyInput, ownsKey } from "./keyboard.ts";
import { sayKeys } from "./keyed.ts";
import { pinLayer } from "./pins.ts";
import { seen } from "../sight.ts";
import { aim, curtain, noticeLine, reviewNote, selectionBar } from "./notices.ts";
import { brushPanel, historyPanel, viewPanel } from "./panels.ts";
import { rail } from "./rail.ts";
import { Stage } from "./stage.ts";
import { cellWords, statusLine } from "./status.ts";
import { topBar } from "./topbar.ts";
import { t } from "../words.ts";

export interface App {
  readonly stage: Stage;
}

/** Builds everything inside `root`; `queue` is the address of the project's queue. */
export function mount(root: HTMLElement, desk: Desk, queue: string): App {
  const { editor } = desk;
  const order = root.dataset["order"] ?? ""; // in which maps that wait come, where one is corrected
  const stage = new Stage(editor, (words) => desk.emit("notice", words));
  const cell = h("p.visually-hidden", { role: "status", "aria-live": "polite", "data-testid": "cell" });
  const help = h("p.visually-hidden", { id: "stage-help" }, t("Arrow keys move over the cells, with Shift they select a region, plus and minus change the cell or the region, question mark lists all keys."));

  const panel = h("aside.side", { "aria-label": t("Answer and settings"), id: "panel" });
  const unfold = (open: boolean) => {
    panel.classList.toggle("open", open);
    handle.setAttribute("aria-expanded", String(open));
  };
  const handle = button("button.sheet-handle", { "aria-expanded": "false", "aria-controls": "panel", "aria-label": t("Show all settings"), onclick: () => unfold(!panel.classList.contains("open")) }, icon("up"));
  panel.append(handle, answerPanel(desk), brushPanel(desk), viewPanel(desk), historyPanel(desk));

  const work = h(
    "div.work", {}, aim(desk, "line"), reviewNote(desk),
    h("div.canvas-area", {}, stage.element, pinLayer(stage, desk), selectionBar(desk), comparisonBar(desk), h("div.canvas-notes", {}, hintBar(desk), noticeLine(desk)), curtain(desk, queue)),
    statusLine(desk), cell, help,
  );
  root.replaceChildren();
  root.classList.add("editor");
  const dialogs = new Dialogs(root, desk);
  root.prepend(
    topBar(desk, {
      queue,
      release: () => {
        if (desk.correcting) {
          desk.keepReview();
          location.assign(`${queue}/${root.dataset["taskId"] ?? ""}${order ? `?order=${order}` : ""}`);
        } else void desk.release().then((done) => { if (done) location.assign(queue); });
      },
      skip: () => dialogs.skip(),
      label: () => dialogs.label(),
      submit: () => void desk.submit(),
      decide: () => {
        if (desk.signedOut) dialogs.signIn();
        else if (desk.canTakeBack) void desk.takeBack();
        else if (desk.looking) void desk.take();
        else if (desk.saveState.kind === "lost") void desk.takeAgain();
        else dialogs.conflict();
      },
    }),
    rail(desk), work, panel, filmStrip(desk),
  );

  desk.on("phase", (phase) => {
    root.dataset["phase"] = phase.kind;
    if (phase.kind === "empty") document.title = `${t("No task is waiting")} · ABN Studio`;
  });
  let opened = 0;
  desk.on("opened", (detail) => {
    root.dataset["taskId"] = String(detail.id);
    unfold(false); // it would lie over the picture that comes
    const which = ++opened;
    const shown = stage.show(detail);
    void seen(shown).then(() => shown, () => false).then((drawn) => { // who cannot see the picture can still skip it
      if (which === opened) desk.see(drawn);
    });
    document.title = `${detail.label_name || detail.image.name} · ${detail.project.name} · ABN Studio`;
    stage.element.focus({ preventScroll: true });
  });
  editor.on("cell", (at) => {
    const words = cellWords(desk, at);
    const { region, document: { values, columns } } = editor;
    say(cell, region ? regionWords(region, values) : [t("row {first}", { first: Math.floor(at / columns) + 1 }), t("column {first}", { first: (at % columns) + 1 }), words.value, words.was, words.gain, words.other].filter(Boolean).join(", "));
  });
  editor.on("command", (command) => {
    if (command === "submit") void desk.submit();
    else if (command === "skip" && !desk.correcting) dialogs.skip();
    else if (command === "label" && !desk.correcting) dialogs.label();
    else if (command === "save") desk.saveNow();
    else if (command === "help") dialogs.help();
    else if (command === "older" || command === "newer") void desk.step(command === "older");
  });
  sayKeys(root, editor);
  desk.on("corrected", ({ id }) => {
    const fields = { after: id, judged: id, ...(order && { order }) };
    const form = h("form", { method: "post", action: `${queue}/next`, hidden: true }, ...Object.entries(fields).map(([name, value]) => h("input", { type: "hidden", name, value })));
    document.body.append(form);
    form.submit(); // takes the next map to judge, and opens it
  });
  listen(desk, dialogs);
  followAddress(desk);
  return { stage };
}

/** The page's own events: keys, connection, leaving. */
function listen(desk: Desk, dialogs: Dialogs): void {
  const { editor } = desk;
  document.addEventListener("keydown", (e) => {
    if (dialogs.open || ownsKey(e)) return;
    if (keyDown(editor, keyInput(e))) e.preventDefault();
  });
  document.addEventListener("keyup", (e) => {
    if (keyUp(editor, keyInput(e)) && !ownsKey(e)) e.preventDefault();
  });
  window.addEventListener("blur", () => {
    editor.letGo();
    editor.holdPan(false);
    editor.holdModel(false);
    editor.holdPhotograph(false);
  });
  window.addEventListener("online", () => desk.online());
  window.addEventListener("focus", () => void desk.client.lookForSession()); // as after a sign-in in another tab
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") desk.saveNow();
  });
  window.addEventListener("pagehide", () => {
    desk.leave();
    desk.leaveReview();
  });
  window.addEventListener("beforeunload", (e) => {
    desk.leave();
    if (desk.wouldLose) e.preventDefault();
  });
}

/** Keeps the address bar on the task at hand: …/tasks/12. */
function followAddress(desk: Desk): void {
  const address = (detail: TaskDetail) => location.pathname.replace(/\/tasks\/\d+/, `/tasks/${detail.id}`);
  desk.on("opened", (detail) => {
    const path = address(detail);
    if (path !== location.pathname) history.pushState({ task: detail.id }, "", path + location.search); // with the queue's selection; who has travelled there is there already
  });
  window.addEventListener("popstate", () => {
    const id = Number(/\/tasks\/(\d+)/.exec(location.pathname)?.[1]);
    if (id) void desk.openTask(id);
  });
}
