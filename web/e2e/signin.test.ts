// Ways to sign in besides a password, in a browser with an authenticator of its own (Chromium's virtual one).
import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, openBrowser, Studio } from "./studio";

const browserThere = chromiumPath() !== undefined;
if (!browserThere && process.env.CI) throw new Error("no Chromium: install the package chromium, or set STUDIO_CHROMIUM");

/** What axe finds that is serious. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
  });
}

describe.skipIf(!browserThere)("ways to sign in", () => {
  let studio: Studio, browser: Browser;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    studio = await Studio.empty();
    closing.push(() => studio.stop());
    browser = await openBrowser();
    closing.push(() => browser.close());
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it("adds a passkey, signs in by it, and asks for a code where that is on", async () => {
    const named = (address: string) => address.replace("127.0.0.1", "localhost"); // passkeys are bound to names
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, baseURL: named(studio.address) });
    context.setDefaultTimeout(300_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    const authenticator = await context.newCDPSession(page);
    await authenticator.send("WebAuthn.enable");
    await authenticator.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });

    await page.goto(named(studio.link));
    await page.getByLabel("Name").fill("Ada");
    await page.getByLabel("E-mail").fill("ada@example.org");
    await page.getByLabel("Password").fill("plum-kettle-91");
    await page.locator("form button.primary").click();
    await page.waitForURL((url) => url.pathname === "/projects");

    await page.goto("/account");
    const keys = page.locator("#passkeys");
    await keys.getByLabel("What you call it").fill("my laptop");
    await keys.getByLabel("Present password").fill("guessed");
    await keys.getByRole("button", { name: "Add a passkey" }).click();
    await expect.poll(() => keys.getByRole("alert").textContent()).toContain("present password is another one");
    await keys.getByLabel("Present password").fill("plum-kettle-91");
    await keys.getByRole("button", { name: "Add a passkey" }).click();
    await keys.locator("[data-passkey]").getByText("my laptop").waitFor();

    await page.locator("#factor").getByLabel("Present password").fill("plum-kettle-91");
    await page.getByRole("button", { name: "Set it up" }).click();
    await page.getByRole("img", { name: "QR code for an authenticator app" }).waitFor();
    expect(await findings(page)).toEqual([]);

    await context.clearCookies();
    await page.goto("/signin?next=%2Faccount");
    expect(await findings(page)).toEqual([]);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL((url) => url.pathname === "/account");
    await keys.getByText("used just now").waitFor();

    await keys.getByText("Change…").click();
    await keys.getByRole("button", { name: "Remove" }).click();
    await keys.locator("[data-passkey]").waitFor({ state: "detached" });
    await context.clearCookies();
    await page.goto("/signin");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect.poll(() => page.locator("[data-passkey-sign-in] [role=alert]").textContent()).toContain("was not taken");
    expect(complaints).toEqual([]);
    await context.close();
  });
});
