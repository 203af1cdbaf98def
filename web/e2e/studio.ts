// The program under test: `studio demo` on a folder of its own, and people in a Chromium.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { existsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { inject } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Account { Name: string; Email: string; Password: string; Role: string }

/** The browser to drive: STUDIO_CHROMIUM, else an installed one; undefined where there is none. */
export function chromiumPath(): string | undefined {
  return [process.env.STUDIO_CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"]
    .find((path) => path && existsSync(path));
}

const run = promisify(execFile);

/** A folder for a studio. Everybody can enter it: PostgreSQL runs as an unprivileged user where the tests run as root. */
async function newFolder(): Promise<string> {
  const open = statSync(tmpdir()).mode & 0o001;
  const folder = await mkdtemp(join(open ? tmpdir() : "/tmp", "abn-studio-e2e-"));
  await chmod(folder, 0o755);
  return folder;
}

/** A running studio. */
export class Studio {
  private constructor(
    private process: ChildProcess, readonly folder: string,
    readonly address: string, readonly accounts: Account[], private readonly log: string[],
    readonly link = "", // that makes the first admin, of an empty studio
  ) {}

  /** A studio on an empty folder, as it is when somebody starts it for the first time. */
  static async empty(): Promise<Studio> {
    const folder = await newFolder();
    const child = spawn(join(root, "bin/studio"), ["serve", "--data", join(folder, "data"), "--listen", "127.0.0.1:0"],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, DATABASE_URL: "", STUDIO_DATA: "", STUDIO_BLOBS: "", STUDIO_PUBLIC_URL: "" } });
    const log: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
    const link = await new Promise<string>((done, failed) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const found = /makes the first admin.*(http:\S+)/.exec(line);
        if (found?.[1]) done(found[1]);
      });
      child.once("exit", (code) => failed(new Error(`studio serve ended with ${code}:\n${log.join("\n")}`)));
    });
    return new Studio(child, folder, new URL(link).origin, [], log, link);
  }

  /** The demo on an empty folder. */
  static async make(): Promise<Studio> {
    return Studio.on(await newFolder());
  }

  /** The demo on a copy of the folder that prepare.ts made and scanned. */
  static async start(): Promise<Studio> {
    const folder = await newFolder();
    await run("cp", ["-a", join(inject("demo"), "data"), folder]); // with the owners: PostgreSQL's part is its user's
    return Studio.on(folder);
  }

  private static async on(folder: string): Promise<Studio> {
    const log: string[] = [];
    const { child, address, accounts } = await Studio.demo(folder, "127.0.0.1:0", log);
    return new Studio(child, folder, address, accounts, log);
  }

  /** Starts the demo on a folder, and waits for its greeting. */
  private static async demo(folder: string, listen: string, log: string[]): Promise<{ child: ChildProcess; address: string; accounts: Account[] }> {
    const child = spawn(join(root, "bin/studio"), ["demo", "--data", join(folder, "data"), "--listen", listen, "--json"],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, DATABASE_URL: "", STUDIO_DATA: "", STUDIO_BLOBS: "" } });
    createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
    const greeting = await new Promise<string>((done, failed) => {
      createInterface({ input: child.stdout }).once("line", done);
      child.once("exit", (code) => failed(new Error(`studio demo ended with ${code}:\n${log.join("\n")}`)));
    });
    return { child, ...JSON.parse(greeting) as { address: string; accounts: Account[] } };
  }

  /** Kills the program where it stands, as a power cut would. */
  async kill(): Promise<void> {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGKILL");
    await ended;
  }

  /** Starts it again after kill, at the same address. */
  async restart(): Promise<void> {
    this.process = (await Studio.demo(this.folder, new URL(this.address).host, this.log)).child;
  }

  /** Ends the program and leaves its folder. */
  async end(): Promise<void> {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGINT");
    await ended;
  }

  async stop(): Promise<void> {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  account(role: string): Account {
    const account = this.accounts.find((a) => a.Role === role);
    if (!account) throw new Error(`the demo has no ${role}`);
    return account;
  }

  /** What the program wrote to its log so far. */
  said(): string { return this.log.join("\n"); }
}

/** A person at a browser of their own. */
export class Person {
  readonly complaints: string[] = []; // what the browser's console and the pages' scripts complained of

  private constructor(readonly studio: Studio, readonly context: BrowserContext, readonly page: Page) {}

  static async signIn(browser: Browser, studio: Studio, role: string): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, baseURL: studio.address });
    context.setDefaultTimeout(300_000); // others have slower machines, and busier ones
    const page = await context.newPage();
    const person = new Person(studio, context, page);
    page.on("pageerror", (error) => person.complaints.push(error.message));
    page.on("console", (message) => { if (message.type() === "error") person.complaints.push(message.text()); });
    const account = studio.account(role);
    await page.goto("/signin");
    await page.getByLabel("E-mail").fill(account.Email);
    await page.getByLabel("Password").fill(account.Password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL((url) => !url.pathname.startsWith("/signin"));
    return person;
  }

  /** The API, as this person. */
  async get<T>(path: string): Promise<T> {
    const response = await this.context.request.get(`${this.studio.address}/api/v1${path}`);
    if (!response.ok()) throw new Error(`GET ${path}: ${response.status()} ${await response.text()}`);
    return (await response.json()) as T;
  }
}

export async function openBrowser(...more: string[]): Promise<Browser> {
  const executablePath = chromiumPath();
  return chromium.launch({
    ...(executablePath ? { executablePath } : {}),
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more],
  });
}

/** Draws a stroke over the middle of the map, from one relative place to another. */
export async function stroke(page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const box = (await page.getByTestId("stage").boundingBox())!;
  const side = Math.min(box.width, box.height) * 0.8; // the picture stands in the middle of the stage
  const at = ([x, y]: [number, number]): [number, number] => [box.x + box.width / 2 + (x - 0.5) * side, box.y + box.height / 2 + (y - 0.5) * side];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 12 });
  await page.mouse.up();
}

/** Asks until the answer is good; the pages' own waiting is Playwright's. */
export async function until(what: string, done: () => Promise<boolean>, milliseconds = 300_000): Promise<void> {
  for (const end = Date.now() + milliseconds; !(await done());) {
    if (Date.now() > end) throw new Error(`${what}: not within ${milliseconds / 1000} s`);
    await new Promise((wait) => setTimeout(wait, 250));
  }
}
