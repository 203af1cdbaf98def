// The tool rail: tools, then actions on the whole map; the rarer ones stand in a menu.

import type { Desk } from "../desk.ts";
import type { ToolName } from "../tools/names.ts";
import { wholeOperations } from "../whole.ts";
import { calm } from "./calm.ts";
import { button, h } from "./element.ts";
import { icon } from "./icons.ts";
import { wholeMenu } from "./whole_menu.ts";
import { said, t } from "../words.ts";

const tools: readonly { name: ToolName; label: string; key: string }[] = [
  { name: "brush", label: t("Brush"), key: "{b}" },
  { name: "eraser", label: t("Eraser"), key: "{e}" },
  { name: "smooth", label: t("Smooth"), key: "{s}" },
  { name: "box", label: t("Select a box"), key: "{r}" },
  { name: "ellipse", label: t("Select an ellipse"), key: "{o}" },
  { name: "lasso", label: t("Select with a lasso"), key: "{l}" },
  { name: "wand", label: t("Select what looks alike"), key: "{q}" },
  { name: "segment", label: t("Select the thing clicked"), key: "{j}" },
  { name: "flood", label: t("Flood fill"), key: "{f}" },
  { name: "pick", label: t("Pick a value"), key: "{i}" },
  { name: "pan", label: t("Pan"), key: t("Space") },
];

export function rail(desk: Desk): HTMLElement {
  const { editor } = desk;
  const buttons = new Map(tools.filter(({ name }) => editor.has(name)).map(({ name, label, key }) => [
    name,
    button("button.tool", {
      "data-testid": `tool-${name}`, "aria-pressed": "false", "aria-label": label, "data-keyed": `${label} (${key})`,
      onclick: () => editor.choose(name),
    }, icon(name)),
  ]));
  const whole = wholeOperations.flatMap((o) => "often" in o ? [{
    name: o.name,
    button: button("button.tool", {
      "data-testid": `map-${o.name}`, "aria-label": said(o.label), title: `${said(o.label)}: ${o.hint}`, onclick: () => editor.whole(o.name),
    }, icon(o.name)),
  }] : []);
  const more = wholeMenu(desk);
  const show = () => {
    for (const [name, b] of buttons) b.setAttribute("aria-pressed", String(editor.tool === name));
    for (const b of [...whole.map((o) => o.button), more.opener]) b.disabled = editor.readOnly || editor.comparing;
    whole.find((o) => o.name === "model")?.button.setAttribute("aria-pressed", String(editor.document.source === "model"));
  };
  desk.on("opened", () => { // what an empty map does follows the network
    const clear = whole.find((o) => o.name === "clear");
    if (clear && desk.detail) clear.button.title = t("Clear: {what}", { what: desk.detail.mechanism.clear });
  });
  calm(editor, show);
  show();
  return h(
    "div.rail", { role: "toolbar", "aria-label": t("Tools"), "aria-orientation": "vertical" },
    ...buttons.values(), h("span.rule"), ...whole.map((o) => o.button), more.opener, more.menu,
  );
}
