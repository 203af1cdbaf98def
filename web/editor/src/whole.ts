// Operations on the whole map, or on the selection where there is one. Each is one step.

import { blurred } from "./blur.ts";
import type { MapDocument } from "./document.ts";
import { clampValue } from "./grid.ts";
import { markedFrom } from "./mode.ts";
import { later, t } from "./words.ts";

export type WholeOperation = "clear" | "fill" | "invert" | "blur" | "sharpen" | "gamma" | "gamma-up" | "normalise" | "keep" | "unmark" | "reset" | "model";

/** `often`: it has a button of its own; the others stand in a menu. */
export const wholeOperations = [
  { name: "clear", label: later("Clear"), hint: t("Set every cell to 0, without marks"), often: true },
  { name: "reset", label: later("Reset"), hint: t("Go back to the model's map and paint on from there"), often: true },
  { name: "model", label: later("Use the model's own"), hint: t("Confirm the model's map as it is: an answer of its own, not an empty one"), often: true },
  { name: "fill", label: later("Fill"), hint: t("Paint every cell with the brush's mode and strength"), key: "Shift+f" },
  { name: "invert", label: later("Invert"), hint: t("1 − value"), key: "Shift+i" },
  { name: "blur", label: later("Blur"), hint: t("Mix each cell with its neighbours"), key: "Shift+b" },
  { name: "sharpen", label: later("Sharpen"), hint: t("Move each cell away from its neighbours' mean"), key: "Shift+s" },
  { name: "normalise", label: later("Normalise"), hint: t("Stretch the values: the lowest becomes 0, the highest 1"), key: "Shift+n" },
  { name: "keep", label: later("Keep inside"), hint: t("Set everything outside the selection to 0"), key: "k" },
  { name: "unmark", label: later("Remove marks"), hint: t("Every cell carries its value again"), key: "Shift+m" },
] as const satisfies readonly { readonly name: WholeOperation; readonly label: string; readonly hint: string; readonly key?: string; readonly often?: true }[];

export interface WholeSettings {
  /** Values are raised to this power: above 1 lowers the middle, below 1 raises it. */
  readonly gamma: number;
  /** The operation's key is held: what it does joins the step before. */
  readonly again: boolean;
}

/** Runs an operation; the reason in a sentence where it can't. Fill is a stroke, which the editor paints. */
export function runWhole(operation: Exclude<WholeOperation, "fill">, document: MapDocument, { gamma, again }: WholeSettings): string | null {
  const { values, model } = document;
  switch (operation) {
    case "clear":
      document.replace("Clear", inSelection(document, () => 0), "painted", false, unmarked(document));
      return null;
    case "invert":
      document.replace("Invert", inSelection(document, (v) => 1 - v));
      return null;
    case "blur": {
      const soft = blurred(values, document.rows, document.columns);
      document.replace("Blur", inSelection(document, (_, i) => soft[i] ?? 0), "painted", again);
      return null;
    }
    case "sharpen": {
      const soft = blurred(values, document.rows, document.columns);
      document.replace("Sharpen", inSelection(document, (v, i) => 2 * v - (soft[i] ?? 0)), "painted", again);
      return null;
    }
    case "gamma":
      document.replace(later("Gamma"), withGamma(document, gamma), "painted", again);
      return null;
    case "gamma-up":
      document.replace(later("Gamma"), withGamma(document, 1 / gamma), "painted", again);
      return null;
    case "normalise": {
      const selection = document.selection?.coverage;
      const selected = selection ? values.filter((_, i) => (selection[i] ?? 0) > 0) : values;
      const [low, high] = [Math.min(...selected), Math.max(...selected)];
      if (low === high) return t("Every cell has the same value: there is nothing to stretch");
      document.replace("Normalise", inSelection(document, (v) => (v - low) / (high - low)));
      return null;
    }
    case "keep": {
      const selection = document.selection;
      if (!selection) return t("Draw a box or a lasso first, then keep what is inside");
      document.replace("Keep inside", values.map((v, i) => clampValue(v * (selection.coverage[i] ?? 0))));
      return null;
    }
    case "reset":
      document.replace("Reset", inSelection(document, (_, i) => model[i] ?? 0), "painted", false, unmarked(document), document.selection ? document.origin : document.modelOrigin);
      return null;
    case "model":
      document.replace("Use the model's own", model, "model", false, new Float32Array(model.length), document.modelOrigin);
      return null;
    case "unmark":
      if (!document.marked) return t("No cell has a mark");
      document.replace("Remove marks", values.slice(), "painted", false, unmarked(document));
      return null;
  }
}

/** The map with every value raised to a power. */
export const withGamma = (document: MapDocument, gamma: number): Float32Array => inSelection(document, (v) => v ** gamma);

/** The marks without those of selected cells. */
function unmarked(document: MapDocument): Float32Array {
  const selection = document.selection?.coverage;
  return document.marks.map((level, i) => (!selection || (selection[i] ?? 0) >= markedFrom ? 0 : level));
}

/** The map with f of every cell, mixed in by how much of the cell is selected. */
function inSelection(document: MapDocument, f: (value: number, cell: number) => number): Float32Array {
  const selection = document.selection?.coverage;
  return document.values.map((v, i) => {
    const share = selection ? (selection[i] ?? 0) : 1;
    if (share <= 0) return v;
    return share >= 1 ? clampValue(f(v, i)) : clampValue(v + share * (f(v, i) - v));
  });
}
