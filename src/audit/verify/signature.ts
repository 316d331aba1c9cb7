/**
 * Verifies whose signature a receipt has. The trusted keys come from outside. The keys inside the bundle are used in
 * two cases only: if no trusted key was given, to see whether the signature fits one of them; and if a thumbprint was
 * given, to find the key that has it.
 */
import { calculateJwkThumbprint, compactVerify, importJWK, type JSONWebKeySet, type JWK } from 'jose';
import { parseStrictObject } from './json.js';
import type { Version } from '../evidence/evidence.js';
import { isReceipt, versionOf } from './shapes.js';
import type { Receipt } from '../receipts/receipt.js';
import { RECEIPT_TYPE } from '../receipts/signer.js';

/** The first broken thing, by name. */
export type Broken = { readonly what: string; readonly detail: string };
/** Whom to trust; null: nobody was named. */
export type Trust = { readonly jwks: JSONWebKeySet } | { readonly thumbprint: string } | null;
export type Opened =
  | { readonly ok: true; readonly kid: string; readonly receipt: Receipt }
  | { readonly ok: false; readonly broken: Broken };

const BASE64URL = /^[A-Za-z0-9_-]+$/;
const broken = (what: string, detail: string): Opened => ({ ok: false, broken: { what, detail } });

/** @param carried the bundle's own keys @param version of the bundle; in a chain a receipt is of either */
export async function openReceipt(
  jws: string,
  trust: Trust,
  carried: JSONWebKeySet,
  version?: Version,
): Promise<Opened> {
  const parts = jws.split('.');
  const header = parts.length === 3 && parts.every(isCanonical) ? textOf(parts[0] ?? '') : null;
  if (header === null) return broken('receipt.signature', 'it is not a compact JWS');
  const kid = kidOf(header);
  if (kid === null) return broken('receipt.signature', 'it is a signature of something else');

  const keys = await keysOf(kid, trust, carried);
  if (keys.length === 0 && trust !== null) return broken('receipt.signer', 'the key that signed it is not trusted');
  if (keys.length > 0 && !(await verifiesWithOne(jws, keys)))
    return broken('receipt.signature', 'the signature does not verify');
  const payload = textOf(parts[1] ?? '');
  const receipt: unknown = payload === null ? null : parseStrictObject(payload);
  const wanted = version ?? versionOf(receipt);
  return isReceipt(receipt) && receipt.version === wanted
    ? { ok: true, kid, receipt }
    : broken('receipt', `it is not a receipt of version ${wanted}`);
}

function kidOf(header: string): string | null {
  const value = parseStrictObject(header);
  const fits = value?.['alg'] === 'EdDSA' && value['typ'] === RECEIPT_TYPE && Object.keys(value).length === 3;
  return fits && typeof value['kid'] === 'string' ? value['kid'] : null;
}

async function keysOf(kid: string, trust: Trust, carried: JSONWebKeySet): Promise<readonly JWK[]> {
  const named = (trust !== null && 'jwks' in trust ? trust.jwks : carried).keys.filter(
    (key) => key.kid === kid && key.kty === 'OKP' && key.crv === 'Ed25519' && typeof key.x === 'string',
  );
  if (trust === null || 'jwks' in trust) return named;
  const fitting: JWK[] = [];
  for (const key of named) {
    // Over these members only: others would not change whose key it is.
    const { kty, crv, x } = key as { kty: string; crv: string; x: string };
    if ((await calculateJwkThumbprint({ kty, crv, x })) === trust.thumbprint) fitting.push(key);
  }
  return fitting;
}

async function verifiesWithOne(jws: string, keys: readonly JWK[]): Promise<boolean> {
  for (const { x } of keys) {
    try {
      if (!isCanonical(x ?? '')) continue;
      const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: x ?? '' }, 'EdDSA');
      await compactVerify(jws, key, { algorithms: ['EdDSA'] });
      return true;
    } catch {
      // Not by this key.
    }
  }
  return false;
}

/** Unpadded, and with no bits left over: a text has one form. */
function isCanonical(part: string): boolean {
  return BASE64URL.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(part: string): string | null {
  try {
    return utf8.decode(Buffer.from(part, 'base64url'));
  } catch {
    return null;
  }
}
