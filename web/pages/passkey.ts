// Passkeys: signs in by one, and adds one, by the browser's own dialogue (Web Authentication). Where a browser has none the pages say so.
import type { PasskeyOptions, Problem } from "../editor/src/api/schema.d.ts";
import { bytes, closedByHand, described, type Descriptor, passkeysHere, shown, told } from "../editor/src/passkey.ts";
import { t } from "../editor/src/words.ts";

/** Shows what needs passkeys, where there are any. */
export function offerPasskeys(): void {
  if (!passkeysHere()) return;
  const place = document.querySelector<HTMLElement>("[data-passkey-sign-in]");
  if (place) {
    place.hidden = false;
    place.querySelector("button")?.addEventListener("click", () => { void attempt(place, () => signIn(place.dataset["passkeySignIn"] || "/projects")); });
  }
  const form = document.querySelector<HTMLFormElement>("form[data-add-passkey]");
  if (form) {
    form.hidden = false;
    document.querySelector("[data-no-passkeys]")?.remove();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void attempt(form, () => add(form));
    });
  }
}

/** Does something once, and says beside it what went wrong. Who closes the browser's dialogue knows that. */
async function attempt(place: HTMLElement, what: () => Promise<void>): Promise<void> {
  const wrong = place.querySelector<HTMLElement>("[role=alert]");
  const button = place.querySelector<HTMLButtonElement>("button");
  if (wrong) wrong.hidden = true;
  if (button) button.disabled = true;
  try {
    await what();
  } catch (reason) {
    if (wrong && !closedByHand(reason)) {
      wrong.textContent = reason instanceof DOMException && reason.name === "InvalidStateError" ? t("This device has a passkey of yours already.") : reason instanceof Error ? reason.message : String(reason);
      wrong.hidden = false;
    }
  } finally {
    if (button) button.disabled = false;
  }
}

async function signIn(next: string): Promise<void> {
  const { options } = await ask<PasskeyOptions>("/session/passkey/begin");
  await ask("/session/passkey", { credential: await shown(options) });
  location.assign(next);
}

async function add(form: HTMLFormElement): Promise<void> {
  const typed = new FormData(form);
  const { options } = await ask<PasskeyOptions>("/passkeys/begin", { current_password: typed.get("current") });
  const { publicKey } = options as { publicKey: { challenge: string; user: { id: string }; excludeCredentials?: Descriptor[] } };
  const made = await navigator.credentials.create({
    publicKey: {
      ...publicKey, challenge: bytes(publicKey.challenge), user: { ...publicKey.user, id: bytes(publicKey.user.id) },
      excludeCredentials: (publicKey.excludeCredentials ?? []).map(described),
    } as unknown as PublicKeyCredentialCreationOptions,
  });
  await ask("/passkeys", { name: typed.get("name"), credential: told(made) });
  location.assign("/account");
}

/** Asks the API, and throws what it says where it refuses. */
async function ask<T>(path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`/api/v1${path}`, body === undefined ? { method: "POST" } : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
  if (!answer) throw new Error(t("The studio is not reached: try again in a moment."));
  const said = await answer.json() as T & Problem;
  if (!answer.ok) throw new Error(said.detail);
  return said;
}
