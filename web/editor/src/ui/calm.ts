// What stands beside the canvas and follows it: the status line, the panels, the answer. A browser draws anew all that lies between two
// changes in one frame, so that figures that change far from the brush, in every frame, would hold up the paint. While a stroke is under
// way they are brought up to date a few times a second, all in one frame, and at once when it ends.

import type { Editor } from "../editor.ts";

const beat = 400; // ms between two times while a stroke is under way

interface Followers {
  readonly shows: (() => void)[];
  readonly due: Set<() => void>;
  last: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const followers = new WeakMap<Editor, Followers>();

/** Runs `show` when something of the editor has changed. The function returned does it for a change of something else. */
export function calm(editor: Editor, show: () => void): () => void {
  let all = followers.get(editor);
  if (!all) followers.set(editor, (all = follow(editor)));
  const { shows, due } = all;
  shows.push(show);
  const run = all;
  return () => {
    due.add(show);
    bring(editor, run);
  };
}

function follow(editor: Editor): Followers {
  const all: Followers = { shows: [], due: new Set(), last: 0, timer: undefined };
  const changed = () => {
    for (const show of all.shows) all.due.add(show);
    bring(editor, all);
  };
  for (const event of ["changed", "values", "settled", "opened"] as const) editor.on(event, changed);
  return all;
}

function bring(editor: Editor, all: Followers): void {
  const wait = editor.busy ? all.last + beat - performance.now() : 0;
  if (wait > 0) {
    all.timer ??= setTimeout(() => {
      all.timer = undefined;
      bring(editor, all);
    }, wait);
    return;
  }
  all.last = performance.now();
  const shows = [...all.due];
  all.due.clear();
  for (const show of shows) show();
}
