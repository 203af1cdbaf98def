// The demo, made and scanned once before the browser tests: each file of them that needs one begins on a copy.
import { rm } from "node:fs/promises";
import type { TestProject } from "vitest/node";
import type { ProjectSummary } from "../editor/src/api/schema.d.ts";
import { chromiumPath, openBrowser, Person, Studio, until } from "./studio";

declare module "vitest" {
  interface ProvidedContext { demo: string } // the folder; empty where there is no browser
}

export default async function prepare(tests: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!chromiumPath()) {
    tests.provide("demo", "");
    return undefined;
  }
  const studio = await Studio.make();
  const browser = await openBrowser();
  const ada = await Person.signIn(browser, studio, "admin");
  await until("the demo is scanned", async () => {
    const project = await ada.get<ProjectSummary>("/projects/aviary").catch(() => undefined); // not there in the first second
    return project !== undefined && project.open_tasks > 0 && project.running_job === undefined && (await ada.get<{ edits: number }>("/projects/aviary/rounds/defaults")).edits > 0;
  });
  await browser.close();
  await studio.end();
  tests.provide("demo", studio.folder);
  return () => rm(studio.folder, { recursive: true, force: true });
}
