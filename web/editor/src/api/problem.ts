// The ways in which a request can fail, as far as the editor treats them differently.

import type { Edit } from "./schema.d.ts";
import { t } from "../words.ts";

/** The server could not be reached, or is not able to answer now: the same request may work later. */
export class Unreachable extends Error {}

/** The answer was an RFC 9457 problem. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Of a stale save: the latest revision. */
    readonly current: Edit | undefined,
    /** What of the request it is about, such as body.code. */
    readonly fields: readonly string[] = [],
  ) {
    super(detail || title);
  }
}

/** What was asked for is not there, and nor is the project that the page is of: its person was taken out of it, or it was deleted. */
export class Outside extends Problem {
  constructor(title: string) {
    super(404, title, t("you are no longer a member of this project, or it was deleted. Ask who leads it, or an admin of the studio"), undefined);
  }
}

/** Whether a failure is one of the network or of a server that is away for a moment. */
export const passing = (error: unknown): boolean =>
  error instanceof Unreachable ||
  (error instanceof Problem && (error.status === 429 || error.status === 408 || error.status >= 500));

/** Whether a sign-in was refused for its code: of an authenticator app, or a recovery code. */
export const ofCode = (error: unknown): boolean => error instanceof Problem && error.fields.includes("body.code");

/** Whether that is since it has none, and needs one. */
export const asksForCode = (error: unknown): boolean => ofCode(error) && (error as Problem).status === 401;

/** Why something was not done, as the end of a sentence. */
export const reason = (error: unknown): string =>
  passing(error) && !(error instanceof Problem)
    ? t("the studio can't be reached. Check the connection and try again")
    : error instanceof Problem && error.status === 401 ? t("your session has ended: sign in again")
    : error instanceof Error ? error.message : String(error);
