/**
 * Keys for development, made once and kept in a folder that only its owner reads: one pair signs assertions, one receipts.
 * Deliberately named as what they are in their `kid`: nobody should take a development receipt for more.
 */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

export interface DevKeys {
  /** Files: private keys, and the sets that verify what they signed. */
  readonly assertionKey: string;
  readonly assertionKeySet: string;
  readonly signingKey: string;
  readonly receiptKeySet: string;
}

export async function ensureDevKeys(folder: string): Promise<DevKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const keys: DevKeys = {
    assertionKey: join(folder, 'assertion.json'),
    assertionKeySet: join(folder, 'assertion.jwks.json'),
    signingKey: join(folder, 'receipt.json'),
    receiptKeySet: join(folder, 'receipt.jwks.json'),
  };
  await ensurePair(keys.assertionKey, keys.assertionKeySet, 'development-assertion');
  await ensurePair(keys.signingKey, keys.receiptKeySet, 'development-receipt');
  return keys;
}

/** The set is written from the key each time: whichever was lost, the two fit. */
async function ensurePair(keyFile: string, setFile: string, kid: string): Promise<void> {
  const kept = await readFile(keyFile, 'utf8').catch(() => '');
  const key = kept === '' ? await newKey(kid) : (JSON.parse(kept) as JWK);
  if (kept === '') await writeWhole(keyFile, key);
  const { d: _private, ...publicKey } = key;
  await writeWhole(setFile, { keys: [publicKey] });
}

async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'EdDSA', use: 'sig' };
}

/** Under its name only when it is all there. */
async function writeWhole(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
