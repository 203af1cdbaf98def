// Signing in again on the page whose session has ended, which goes on where it was.

import type { Client, Entered } from "../api/client.ts";
import { asksForCode, ofCode, passing, reason } from "../api/problem.ts";
import { closedByHand, passkeysHere } from "../passkey.ts";
import { button, h, say } from "./element.ts";
import { t } from "../words.ts";

const rest = 1000; // ms that a hand has to be still before it is asked something

export interface SigningIn {
  readonly client: Pick<Client, "signIn" | "signInByPasskey">;
  readonly email: string | undefined; // whose session it was
  /** What happens to the work meanwhile, in a sentence. */
  readonly words: string;
  /** Whether a stroke is under way, or another question is asked: neither is interrupted. */
  busy(): boolean;
}

const strangers: Record<Exclude<Entered, "self">, () => string> = {
  other: () => t("That is somebody else's account, and they were signed out again. Sign in as yourself"),
  "other-stays": () => t("That is somebody else's account. The studio can't be reached to sign them out again, which is done as soon as it can. Nothing is sent in their name"),
};

export class SignInDialog {
  readonly element: HTMLDialogElement;
  private readonly email: HTMLInputElement;
  private readonly password = h("input", { type: "password", autocomplete: "current-password", placeholder: t("Password"), "aria-label": t("Password"), "data-testid": "again-password" });
  private readonly code = h("input", { autocomplete: "one-time-code", spellcheck: "false", autocapitalize: "off", placeholder: t("Code"), "aria-label": t("Code"), "aria-describedby": "again-code" });
  private readonly codeHint = h("p.muted.small", { id: "again-code" }, t("Of six digits, from your authenticator app; or one of your recovery codes."));
  private readonly problem = h("p.notice.notice-bad", { role: "alert", hidden: true });
  private readonly passkey = button("button", { hidden: true, onclick: () => void this.enter(() => this.signing.client.signInByPasskey()) }, t("Sign in with a passkey"));
  private timer: ReturnType<typeof setTimeout> | undefined;
  private entering = false; // one try at a time

  constructor(private readonly signing: SigningIn) {
    const { password, code, problem } = this;
    this.email = h("input", { type: "email", autocomplete: "username", required: true, "aria-label": t("E-mail"), value: signing.email });
    const form = h(
      "form", { onsubmit: (e) => {
        e.preventDefault();
        void this.enter(() => signing.client.signIn(this.email.value, password.value, code.value));
      } },
      h("p", {}, signing.words), problem, this.email, password, code, this.codeHint,
      h("div.row.end", {}, this.passkey, h("span.grow"), h("div.row", {}, button("button", { onclick: () => this.close() }, t("Later")), h("button.primary", { type: "submit" }, t("Sign in")))),
      h("a.small", { href: "/signin", target: "_blank", rel: "noopener" }, t("Sign in another way, in a new tab")),
    );
    this.element = h("dialog.ask", { "aria-label": t("Sign in again"), "data-testid": "dialog-signin" }, h("h2", {}, t("Sign in again")), form);
    this.askFor("password");
  }

  /** Asks once the hand rests. */
  ask(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.signing.busy()) return this.ask();
      this.timer = undefined;
      this.open();
    }, rest);
  }

  /** The hand has done something: it is asked later, if it is to be asked. */
  wait(): void {
    if (this.timer !== undefined) this.ask();
  }

  open(): void {
    if (this.element.open) return;
    this.problem.hidden = true;
    this.passkey.hidden = !passkeysHere();
    this.element.showModal();
    this.askFor("password");
  }

  /** There is a session again, or the person wants to sign in later. */
  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.password.value = "";
    this.element.close();
  }

  /** Asks for the password, or, once it was right, for a code besides it. */
  private askFor(what: "password" | "code"): void {
    const { email, password, code } = this;
    email.hidden = password.hidden = what === "code";
    code.hidden = this.codeHint.hidden = what !== "code";
    password.required = what === "password";
    code.required = what === "code";
    code.value = "";
    if (what === "password") password.value = "";
    (what === "code" ? code : password).focus();
  }

  /** Tries to sign in, and says why it is refused. */
  private async enter(signIn: () => Promise<Entered>): Promise<void> {
    if (this.entering) return;
    this.entering = true;
    try {
      const who = await signIn();
      if (who === "self") this.close();
      else {
        this.email.value = this.signing.email ?? "";
        this.askFor("password");
        this.tell(strangers[who]());
      }
    } catch (error) {
      if (closedByHand(error)) return;
      if (!passing(error)) this.askFor(ofCode(error) ? "code" : "password"); // else what was typed may do in a moment
      this.tell(asksForCode(error) ? "" : passing(error) ? reason(error) : error instanceof Error ? error.message : String(error));
    } finally {
      this.entering = false;
    }
  }

  private tell(words: string): void {
    say(this.problem, words.charAt(0).toUpperCase() + words.slice(1));
    this.problem.hidden = words === "";
  }
}
