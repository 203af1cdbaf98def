// "The label is wrong": the class that it should have, found by typing, or none of them, or that nobody can tell. A reviewer decides.

import type { Class, LabelRequest } from "../api/client.ts";
import type { Desk } from "../desk.ts";
import { button, fill, h, say } from "./element.ts";
import { t } from "../words.ts";

/** How many classes the list shows at once; typing finds the others. */
export const shownClasses = 60;

/** Classes whose name or key has all the words, those whose name begins with the text first; without text all, in their order. */
export function findClasses(classes: readonly Class[], text: string, without: number | undefined): Class[] {
  const wanted = text.toLowerCase().normalize("NFC").trim();
  const words = wanted.split(/\s+/).filter(Boolean);
  const found = classes.filter((c) => c.index !== without && words.every((w) => `${c.name} ${c.key}`.toLowerCase().includes(w)));
  const rank = (c: Class) => (wanted === "" ? 0 : c.name.toLowerCase() === wanted ? 0 : c.name.toLowerCase().startsWith(wanted) ? 1 : 2);
  return found.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
}

const answers = [
  ["class", t("Another class")],
  ["none-of-these", t("None of these: the picture shows no class of the project")],
  ["ambiguous", t("Ambiguous: nobody can tell")],
] as const;

/** The dialog's content, and what opens it on a task. */
export function labelForm(desk: Desk, close: () => void, longest: string | undefined): { form: HTMLFormElement; open: () => void } {
  const list = h("ul.class-list", { role: "listbox", id: "classes", "aria-label": t("Classes") });
  const search = h("input", { type: "text", role: "combobox", "aria-controls": "classes", "aria-expanded": "true", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: t("Type a class"), "aria-label": t("The class that it should have"), "data-testid": "label-search" });
  const comment = h("input", { type: "text", placeholder: t("Why (if it is not plain)"), "aria-label": t("Comment to the reviewer"), maxlength: longest, "data-testid": "label-comment" });
  const radios = answers.map(([value]) => h("input", { type: "radio", name: "says", value, onchange: () => show() }));
  const now = h("p", { "data-testid": "label-now" });
  const send = h("button.primary", { type: "submit", "data-testid": "confirm-label" }, t("Send to a reviewer"));
  let found: Class[] = [];
  let at = 0; // the row that the arrows are on
  let chosen: Class | undefined;

  const says = () => answers[radios.findIndex((r) => r.checked)]?.[0] ?? "class";
  const show = () => {
    const typed = chosen && search.value === chosen.name ? "" : search.value;
    found = findClasses(desk.detail?.project.classes ?? [], typed, desk.detail?.image.label);
    at = chosen ? Math.max(0, found.findIndex((c) => c.index === chosen?.index)) : Math.min(at, Math.max(0, found.length - 1));
    const from = Math.max(0, Math.min(at - 5, found.length - shownClasses));
    const rows = found.slice(from, from + shownClasses).map((c, i) =>
      h("li", { role: "option", id: `class-${c.index}`, "aria-selected": c === chosen, "data-at": from + i === at,
        onmousedown: (e: MouseEvent) => e.preventDefault(), onclick: () => choose(c) }, c.name));
    const rest = found.length - rows.length;
    fill(list, ...rows, found.length === 0 && h("li.muted", {}, t("No class is called that")), rest > 0 && h("li.muted", {}, t("{n} more: type a part of the name", { n: rest })));
    const active = found[at];
    if (active) search.setAttribute("aria-activedescendant", `class-${active.index}`);
    else search.removeAttribute("aria-activedescendant");
    list.querySelector("[data-at]")?.scrollIntoView({ block: "nearest" });
    search.disabled = says() !== "class";
    list.hidden = search.disabled;
    send.disabled = says() === "class" && !chosen;
  };
  const choose = (c: Class) => {
    chosen = c;
    search.value = c.name;
    show();
    send.focus();
  };
  search.addEventListener("input", () => {
    chosen = undefined;
    at = 0;
    show();
  });
  search.addEventListener("keydown", (e) => {
    const active = found[at];
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[e.key];
    if (step !== undefined) {
      at = Math.max(0, Math.min(found.length - 1, at + step));
      chosen = undefined;
      show();
    } else if (e.key === "Enter" && !chosen && active) choose(active);
    else return;
    e.preventDefault();
  });

  const form = h(
    "form.label-form", { method: "dialog", onsubmit: () => {
      const request: LabelRequest = { says: says(), comment: comment.value.trim() };
      if (request.says === "class" && chosen) request.class = chosen.index;
      void desk.questionLabel(request);
    } },
    now,
    ...answers.flatMap(([value, words], i) => [h("label.reason", {}, radios[i], words), value === "class" && search, value === "class" && list]),
    comment,
    h("div.row.end", {}, button("button", { onclick: close }, t("Cancel")), send),
    h("p.muted", {}, t("The task is put aside until a reviewer has decided; what you painted stays with it.")),
  );
  const open = () => {
    chosen = undefined;
    at = 0;
    search.value = comment.value = "";
    radios.forEach((r, i) => (r.checked = i === 0));
    say(now, desk.detail?.label_name ? t("It is called {class} now. What should it be?", { class: desk.detail.label_name }) : t("It has no label. What should it be?"));
    show();
  };
  return { form, open };
}
