/**
 * Reads, without a key, what an assertion claims to be for. Workflow validators use it to refuse early, without
 * history, an assertion that could never be accepted. The signature is verified where the act is decided
 * (decide/actors/access.ts).
 */
export type ClaimedPurpose = {
  readonly workflowId: string;
  readonly verb: string;
  readonly updateId: string;
  readonly digest?: string;
  /** Of whoever looks; the claim's time is judged by the database's later, so this one is lenient. */
  readonly nowMs: number;
};

/** Clocks differ, and database time decides: what is nearly in time is let through. */
const LENIENT_S = 300;

/** Null where the assertion may be for this; else why it cannot. Total. */
export function notFor(assertion: string, purpose: ClaimedPurpose): string | null {
  const claims = claimsOf(assertion);
  if (claims === null) return 'the assertion is not a compact JWS';
  const { aud, verb, update, action, exp, iat } = claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(purpose.workflowId)) return 'the assertion is for another workflow';
  if (verb !== purpose.verb) return 'the assertion is for another act';
  if (update !== purpose.updateId) return 'the assertion is for another update';
  if (purpose.digest !== undefined && action !== purpose.digest) return 'the assertion is for another action';
  const nowS = purpose.nowMs / 1000;
  if (typeof exp !== 'number' || typeof iat !== 'number') return 'the assertion names no time';
  if (exp + LENIENT_S < nowS || iat - LENIENT_S > nowS) return 'the assertion is of another time';
  return null;
}

/** Null for what is no compact JWS with an object as its payload. */
function claimsOf(assertion: string): Readonly<Record<string, unknown>> | null {
  const [, payload, signature, ...more] = assertion.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return null;
  const bytes = fromBase64Url(payload);
  if (bytes === null) return null;
  try {
    const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** By hand: the workflow's sandbox has neither Buffer nor atob. */
function fromBase64Url(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) return null;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at] = (bits >> held) & 0xff;
      at += 1;
    }
  }
  return bytes;
}
