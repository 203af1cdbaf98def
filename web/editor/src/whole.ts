// Operations on the whole map, or on the selection where there is one. Each is one step.

import { blurred } from "./blur.ts";
import type { MapDocument } from "./document.ts";
import { clampValue } from "./grid.ts";

export type WholeOperation = "clear" | "invert" | "blur" | "keep" | "reset" | "model";

export const wholeOperations: readonly { readonly name: WholeOperation; readonly label: string; readonly hint: string }[] = [
  { name: "clear", label: "Clear", hint: "Set every cell to 0" },
  { name: "invert", label: "Invert", hint: "1 − value" },
  { name: "blur", label: "Blur", hint: "Mix each cell with its neighbours" },
  { name: "keep", label: "Keep inside", hint: "Set everything outside the selection to 0" },
  { name: "reset", label: "Reset", hint: "Go back to the model's map and paint on from there" },
  { name: "model", label: "Use the model's own", hint: "Confirm the model's map as it is: an answer of its own, not an empty one" },
];

/** Runs an operation; false where it needs a selection and there is none. */
export function runWhole(operation: WholeOperation, document: MapDocument): boolean {
  const { values, model } = document;
  switch (operation) {
    case "clear":
      document.replace("Clear", inSelection(document, () => 0));
      return true;
    case "invert":
      document.replace("Invert", inSelection(document, (v) => 1 - v));
      return true;
    case "blur": {
      const soft = blurred(values, document.rows, document.columns);
      document.replace("Blur", inSelection(document, (_, i) => soft[i] ?? 0));
      return true;
    }
    case "keep": {
      const selection = document.selection;
      if (!selection) return false;
      document.replace("Keep inside", values.map((v, i) => clampValue(v * (selection.coverage[i] ?? 0))));
      return true;
    }
    case "reset":
      document.replace("Reset", inSelection(document, (_, i) => model[i] ?? 0));
      return true;
    case "model":
      document.replace("Use the model's own", model, "model");
      return true;
  }
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
