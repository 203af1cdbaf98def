// What brush, fill and flood put down now: values by the mode and strength that are set, or a mark.

import { levels } from "./marks.ts";
import type { PaintMode } from "./mode.ts";
import type { Settings } from "./settings.ts";
import { later } from "./words.ts";

/** How the brush, a fill or a flood paints now, and what the step is called where it marks; `erase` takes marks away. */
export function painting(settings: Settings, erase = false): { readonly mode: PaintMode; readonly strength: number; readonly label: string | null } {
  const layer = settings.get("layer");
  if (layer === "values") return { mode: settings.get("mode"), strength: settings.get("strength"), label: null };
  if (erase) return { mode: "mark", strength: 0, label: later("Remove marks") };
  return { mode: "mark", strength: levels[layer], label: layer === "unknown" ? later("Don't know") : later("Do not look") };
}
