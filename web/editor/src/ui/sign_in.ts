// Signing in again on the page whose session has ended, which goes on where it was.

import { button, h, say } from "./element.ts";
import { t } from "../words.ts";

const rest = 1000; // ms that a hand has to be still before it is asked something

export interface SigningIn {
  readonly email: string | undefined; // whose session it was
  /** What happens to the work meanwhile, in a sentence. */
  readonly words: string;
  /** Whether a stroke is under way, or another question is asked: neither is interrupted. */
  busy(): boolean;
  /** Fails with why not. */
  signIn(email: string, password: string): Promise<void>;
}

export class SignInDialog {
  readonly element: HTMLDialogElement;
  private readonly password = h("input", { type: "password", autocomplete: "current-password", required: true, placeholder: t("Password"), "aria-label": t("Password"), "data-testid": "again-password" });
  private readonly problem = h("p.notice.notice-bad", { role: "alert", hidden: true });
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly signing: SigningIn) {
    const { password, problem } = this;
    const email = h("input", { type: "email", autocomplete: "username", required: true, "aria-label": t("E-mail"), value: signing.email });
    const form = h(
      "form", { onsubmit: (e) => {
        e.preventDefault();
        signing.signIn(email.value, password.value).then(() => this.close(), (error: unknown) => {
          say(problem, error instanceof Error ? error.message : String(error));
          problem.hidden = false;
        }).finally(() => (password.value = ""));
      } },
      h("p", {}, signing.words), problem, email, password,
      h("div.row.end", {}, button("button", { onclick: () => this.close() }, t("Later")), h("button.primary", { type: "submit" }, t("Sign in"))),
    );
    this.element = h("dialog.ask", { "aria-label": t("Sign in again"), "data-testid": "dialog-signin" }, h("h2", {}, t("Sign in again")), form);
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
    this.element.showModal();
    this.password.focus();
  }

  /** There is a session again, or the person wants to sign in later. */
  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.element.close();
  }
}
