// The few questions the editor asks: why a task is skipped, which of two versions stays, whether the model's own map is
// meant; and the help.

import type { Desk } from "../desk.ts";
import { fromWire } from "../grid.ts";
import { paintCells } from "../render/heat.ts";
import { pencil } from "../render/pencil.ts";
import { button, fill, h, say } from "./element.ts";
import { keysHelp } from "./keys_dialog.ts";
import { labelForm } from "./label_dialog.ts";
import { mergePanel } from "./merge_dialog.ts";
import { SignInDialog } from "./sign_in.ts";
import { clock, later, said, t } from "../words.ts";

export const skipReasons = [
  later("I can't tell what to mark"),
  later("The object is not in the model's view"),
  later("The model's map is right as it is"),
] as const;

function dialog(root: HTMLElement, name: string, title: string, ...children: Node[]): HTMLDialogElement {
  const element = h("dialog.ask", { "aria-label": title, "data-testid": `dialog-${name}` }, h("h2", {}, title), ...children);
  element.addEventListener("click", (e) => {
    if (e.target === element) element.close(); // the backdrop
  });
  root.append(element);
  return element;
}

export class Dialogs {
  private readonly skipDialog: HTMLDialogElement;
  private readonly labelDialog: HTMLDialogElement;
  private readonly openLabel: () => void;
  private readonly conflictDialog: HTMLDialogElement;
  private readonly untouchedDialog: HTMLDialogElement;
  private readonly signInDialog: SignInDialog;
  private readonly emptyDialog: HTMLDialogElement;
  private readonly helpDialog: HTMLDialogElement;
  private readonly versions = h("div.versions");
  private readonly choice = h(
    "div", {},
    h("p", {}, t("It was saved from somewhere else since this page opened it. Nothing has been overwritten. Which one goes on?")),
    this.versions,
    h("div.row.end", {},
      button("button", { "data-testid": "merge", onclick: () => this.choose(true) }, t("Merge them…")),
      button("button", { "data-testid": "keep-theirs", onclick: () => this.decide("theirs") }, t("Take the saved one")),
      button("button.primary", { "data-testid": "keep-mine", onclick: () => this.decide("mine") }, t("Keep this one"))),
  );
  private readonly merging: ReturnType<typeof mergePanel>;

  constructor(root: HTMLElement, private readonly desk: Desk) {
    const other = h("input", { type: "text", maxlength: root.dataset["longestReason"], placeholder: t("Something else"), "aria-label": t("Another reason") });
    const radios = skipReasons.map((reason, i) => h("input", { type: "radio", name: "reason", value: reason, checked: i === 0 }));
    const form = h(
      "form", { method: "dialog", onsubmit: () => {
        const chosen = radios.find((r) => r.checked)?.value ?? skipReasons[0];
        void desk.skip(other.value.trim() || chosen);
        other.value = "";
      } },
      ...skipReasons.map((reason, i) => h("label.reason", {}, radios[i], said(reason))),
      other,
      h("div.row.end", {}, button("button", { onclick: () => this.skipDialog.close() }, t("Cancel")), h("button.primary", { type: "submit", "data-testid": "confirm-skip" }, t("Skip"))),
    );
    this.skipDialog = dialog(root, "skip", t("Why is it skipped?"), form);

    const label = labelForm(desk, () => this.labelDialog.close(), root.dataset["longestComment"]);
    this.openLabel = label.open;
    this.labelDialog = dialog(root, "label", t("The label is wrong"), label.form);

    this.merging = mergePanel(desk, (merge) => {
      this.conflictDialog.close();
      desk.resolve(merge);
    }, () => this.choose(false));
    this.conflictDialog = dialog(
      root, "conflict", t("This map has two versions"),
      this.choice, this.merging.element,
      h("p.muted", {}, t("The other stays in the task's revisions; taking the saved one, or a merge, can be undone.")),
    );

    this.untouchedDialog = dialog(
      root, "untouched", t("The map is the model's own"),
      h("p", {}, t("Nothing has been changed. Submit it as a statement that the model looks at the right place?")),
      h("div.row.end", {},
        button("button", { onclick: () => this.untouchedDialog.close() }, t("Go on painting")),
        button("button.primary", { "data-testid": "submit-model", onclick: () => {
          this.untouchedDialog.close();
          void desk.submitModels();
        } }, t("Submit the model's own"))),
    );

    this.signInDialog = new SignInDialog({
      email: root.dataset["email"], words: t("Your session has ended. What you painted is kept in this browser, and saved when you have signed in."),
      busy: () => desk.editor.busy || this.open, client: desk.client,
    });
    root.append(this.signInDialog.element);
    desk.on("signed-out", () => this.signInDialog.ask()); // once: who chose "Later" has it in the bar
    desk.on("signed-in", () => this.signInDialog.close());
    desk.editor.on("settled", () => this.signInDialog.wait());

    const zero = h("p");
    this.emptyDialog = dialog(
      root, "empty", t("The map is all zero"), zero,
      h("div.row.end", {},
        button("button", { onclick: () => this.emptyDialog.close() }, t("Go on painting")),
        button("button.primary", { "data-testid": "submit-empty", onclick: () => {
          this.emptyDialog.close();
          void desk.submit(true);
        } }, t("Submit it empty"))),
    );
    desk.on("empty", () => {
      say(zero, t("Nothing is marked: {zero} everywhere. Submit it as it is?", { zero: desk.detail?.mechanism.zero ?? t("no cell counts") }));
      this.emptyDialog.showModal();
    });

    this.helpDialog = dialog(root, "help", t("Keys"));
    keysHelp(desk, this.helpDialog, () => this.helpDialog.close());
    desk.on("untouched", () => this.untouchedDialog.showModal());
    desk.on("save", (state) => {
      if (state.kind === "conflict") this.conflict();
      else if (this.conflictDialog.open) this.conflictDialog.close();
    });
  }

  get open(): boolean {
    return [this.skipDialog, this.labelDialog, this.conflictDialog, this.untouchedDialog, this.emptyDialog, this.signInDialog.element, this.helpDialog].some((d) => d.open);
  }

  skip(): void {
    if (this.desk.mayDecide()) this.skipDialog.showModal();
  }

  label(): void {
    if (!this.desk.mayDecide()) return;
    this.openLabel();
    this.labelDialog.showModal();
    this.labelDialog.querySelector<HTMLInputElement>("[role=combobox]")?.focus();
  }

  signIn(): void {
    if (!this.open) this.signInDialog.open();
  }

  help(): void {
    this.helpDialog.showModal();
  }

  conflict(): void {
    const state = this.desk.saveState;
    if (state.kind !== "conflict" || this.conflictDialog.open) return;
    const { document } = this.desk.editor;
    const when = new Date(state.current.created_at);
    fill(
      this.versions,
      version(t("This page"), t("not saved"), document.values, document.rows, document.columns),
      version(t("Saved by {name}", { name: state.current.author }), clock(when), fromWire(state.current.map), state.current.map.h, state.current.map.w),
    );
    this.choose(false);
    this.conflictDialog.showModal();
    this.conflictDialog.scrollTop = 0; // on a low screen the first button is below its end
  }

  /** Shows the two versions, or how they are merged. */
  private choose(merging: boolean): void {
    if (merging) this.merging.open();
    else this.merging.element.hidden = true;
    this.choice.hidden = !this.merging.element.hidden;
    if (this.choice.hidden) this.merging.focus();
    else if (this.conflictDialog.open) this.choice.querySelector("button")?.focus();
    this.conflictDialog.scrollTop = 0;
  }

  private decide(side: "mine" | "theirs"): void {
    this.conflictDialog.close();
    this.desk.resolve(side);
  }
}

function version(title: string, note: string, values: Float32Array, rows: number, columns: number): HTMLElement {
  const canvas = h("canvas", { width: columns, height: rows, role: "img", "aria-label": title });
  const pixels = new ImageData(columns, rows);
  paintCells(values, { kind: "map", colors: "viridis" }, new Uint32Array(pixels.data.buffer));
  pencil(canvas).putImageData(pixels, 0, 0);
  return h("figure", {}, canvas, h("figcaption", {}, h("strong", {}, title), h("span.muted", {}, note)));
}
