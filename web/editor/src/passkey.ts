// Passkeys (Web Authentication): what the studio asks of an authenticator, and what that answers, as both write them.

import { t } from "./words.ts";

/** Whether a browser has passkeys here: they are bound to a name, and there are none at a number. */
export const passkeysHere = (): boolean => "PublicKeyCredential" in globalThis && isSecureContext && !/^[\d.]+$|:/.test(location.hostname);

/** An authenticator's key, by its name. */
export interface Descriptor { readonly id: string; readonly type: string; readonly transports?: string[] }

export const described = (d: Descriptor) => ({ ...d, id: bytes(d.id) });

/** Asks whoever is there to show that they are, by the browser's own dialogue. */
export async function shown(options: unknown): Promise<unknown> {
  const { publicKey } = options as { publicKey: { challenge: string; allowCredentials?: Descriptor[] } };
  return told(await navigator.credentials.get({ publicKey: { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: (publicKey.allowCredentials ?? []).map(described) } as PublicKeyCredentialRequestOptions }));
}

/** Whether somebody closed the browser's dialogue, and knows that. */
export const closedByHand = (error: unknown): boolean => error instanceof DOMException && error.name === "NotAllowedError";

/** What an authenticator answered, as PublicKeyCredential.toJSON writes it, which not every browser has. */
export function told(credential: Credential | null): unknown {
  if (!(credential instanceof PublicKeyCredential)) throw new Error(t("The browser gave no passkey."));
  const { response } = credential;
  const parts: Record<string, unknown> = { clientDataJSON: text(response.clientDataJSON) };
  if (response instanceof AuthenticatorAttestationResponse) {
    parts["attestationObject"] = text(response.attestationObject);
    parts["transports"] = response.getTransports();
  } else if (response instanceof AuthenticatorAssertionResponse) {
    parts["authenticatorData"] = text(response.authenticatorData);
    parts["signature"] = text(response.signature);
    parts["userHandle"] = response.userHandle ? text(response.userHandle) : undefined;
  }
  return {
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response: parts,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined, clientExtensionResults: credential.getClientExtensionResults(),
  };
}

/** Bytes of base64url. */
export const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** Bytes as base64url. */
const text = (buffer: ArrayBuffer): string =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
