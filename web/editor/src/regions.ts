// What the wand and the segmenter select by: asked of the studio, once a task or as people click.

import type { Client } from "./api/client.ts";
import { Problem, reason } from "./api/problem.ts";
import type { TaskDetail } from "./api/schema.d.ts";
import type { Editor } from "./editor.ts";
import { readLikeness, type Click } from "./likeness.ts";
import { t } from "./words.ts";

const stays = 250; // ms with a picture and the segmenter's tool until the picture is prepared for it
const long = 600; // ms after which an answer that does not come is spoken of

export class Regions {
  private task = 0; // that is open; 0: none
  private compares = 0; // the task whose picture's places are being compared
  private prepared = 0; // the task whose picture has been sent through the encoder
  private prepares: ReturnType<typeof setTimeout> | undefined;
  private asks = false;

  constructor(private readonly editor: Editor, private readonly client: Client, private readonly tell: (words: string) => void) {
    editor.on("command", (command) => {
      if (command === "likeness") void this.compare();
      if (command === "region") void this.ask();
      if (command === "segmenter") this.prepare();
    });
  }

  open({ id }: TaskDetail): void {
    this.task = id;
    if (this.editor.tool === "segment") this.prepare();
  }

  close(): void {
    this.task = 0;
  }

  /** Gets what the wand selects by, once a task. */
  private async compare(): Promise<void> {
    const { task } = this;
    if (!task || this.compares === task) return;
    this.compares = task;
    try {
      const likeness = readLikeness(await this.client.likeness(task));
      if (this.task === task) this.editor.knowLikeness(likeness);
    } catch (error) {
      if (this.task === task) this.tell(t("Nothing selected: {error}", { error: reason(error) }));
    } finally {
      if (this.compares === task) this.compares = 0;
    }
  }

  /** Has the picture taken through the segmenter's encoder before the first click, once somebody stays with picture and tool for a moment. */
  private prepare(): void {
    clearTimeout(this.prepares);
    const { task, editor } = this;
    if (!task || this.prepared === task) return;
    this.prepares = setTimeout(() => {
      if (this.task !== task || editor.tool !== "segment" || editor.readOnly) return;
      this.prepared = task;
      this.client.prepareSegmenter(task).catch((error: unknown) => {
        this.prepared = 0;
        if (this.task === task && error instanceof Problem) this.tell(reason(error)); // else the click says it
      });
    }, stays);
  }

  /** Asks what the clicks made mean, one request at a time: the next has all clicks made meanwhile. */
  private async ask(): Promise<void> {
    if (this.asks) return;
    this.asks = true;
    const { editor } = this;
    for (let answered: readonly Click[] = []; this.task && editor.segmentClicks.length > 0 && editor.segmentClicks !== answered;) {
      const { task } = this;
      const clicks = (answered = editor.segmentClicks);
      const looking = setTimeout(() => this.tell(t("The segmenter looks at the picture: a moment, once for each")), long);
      try {
        const region = await this.client.segment(task, clicks);
        if (this.task === task) editor.knowRegion(clicks, region);
      } catch (error) {
        if (this.task !== task) continue;
        editor.knowRegion(clicks, null);
        this.tell(t("Nothing selected: {error}", { error: reason(error) }));
        break;
      } finally {
        clearTimeout(looking);
      }
    }
    this.asks = false;
  }
}
