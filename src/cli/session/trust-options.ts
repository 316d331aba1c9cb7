/** The options that tell `rok verify` whom to trust: key set, thumbprint, heads. Verifies nothing. */
import { readFile } from 'node:fs/promises';
import type { JSONWebKeySet } from 'jose';
import type { Trust } from '../../audit/verify/verify.js';
import { parseHeads, type OutsideHead } from '../../audit/verify/chain.js';
import { RokError } from '../../domain/errors.js';
import { isKeyText } from '../../platform/config/key-text.js';

export type TrustOptions = { readonly jwks?: string; readonly key?: string };

/** Null when nobody was named. */
export async function trustOf({ jwks, key }: TrustOptions): Promise<Trust> {
  if (jwks !== undefined && key !== undefined)
    throw new RokError('usage', 'both `--jwks` and `--key` were given', 'name the trust root once');
  if (jwks !== undefined) return { jwks: await keySet(jwks) };
  if (key === undefined) return null;
  if (!/^[A-Za-z0-9_-]{43}$/.test(key))
    throw new RokError(
      'usage',
      `\`${key.slice(0, 64)}\` is not the thumbprint of a key`,
      'name the SHA-256 thumbprint of RFC 7638: 43 characters of base64url',
    );
  return { thumbprint: key };
}

export async function headsOf(file: string | undefined): Promise<readonly OutsideHead[]> {
  if (file === undefined) return [];
  const heads = parseHeads(await textOf(file));
  if (heads === null || heads.length === 0)
    throw new RokError('usage', `\`${file}\` holds no heads`, 'name a file that an audit worker wrote (`ROK_HEADS`)');
  return heads;
}

async function keySet(file: string): Promise<JSONWebKeySet> {
  try {
    const { keys } = JSON.parse(await textOf(file)) as { readonly keys?: unknown };
    if (Array.isArray(keys)) return { keys: keys as JSONWebKeySet['keys'] };
  } catch (error) {
    if (error instanceof RokError) throw error;
  }
  throw new RokError('usage', `\`${named(file)}\` is not a key set`, 'name a JWKS file: { "keys": […] }');
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new RokError('usage', `the file \`${named(file)}\` cannot be read`, 'see that it is there');
  }
}

/** A file by its name; who gave a key in its place does not find it on the terminal and in its log. */
const named = (file: string): string => (isKeyText(file) ? 'a key, not the name of a file' : file);
