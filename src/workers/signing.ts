/**
 * Loads the audit worker's signing key, refuses it if the profile does not accept it, and opens the file to which it
 * writes heads.
 */
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { headWriter } from '../audit/receipts/heads.js';
import { enterKey } from '../audit/evidence/key-set.js';
import { createSigner, type Signer } from '../audit/receipts/signer.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import type { Sql } from '../domain/sql.js';
import { appendDurably } from '../platform/config/append-file.js';
import { loadPrivateKey } from '../platform/config/files.js';
import { StartError } from '../platform/start-error.js';
import type { WorkerSetup } from './setup.js';

type Keyed = Pick<WorkerSetup, 'config' | 'log'>;

/** Keys for development say so in their `kid`: nobody should take such a receipt for more. */
const DEVELOPMENT = 'development-';

const refused = (message: string): StartError =>
  new StartError({
    code: 'config_invalid',
    message,
    hint: 'name the file of a private Ed25519 JWK with a `kid` of its own',
    exitCode: 1,
  });

/** A key made here dies with the process: its receipts verify only against the key that the log names. */
export async function signerOf({ config, log }: Keyed): Promise<Signer> {
  const strict = PROFILE_RULES[config.profile].refuseDevelopment;
  if (config.signingKey !== undefined) {
    const signer = await createSigner(await loadPrivateKey(config.signingKey, 'ROK_SIGNING_KEY'));
    if (strict && signer.kid.startsWith(DEVELOPMENT))
      throw refused(`profile STRICT refuses \`${signer.kid}\`, which is a development key`);
    return signer;
  }
  if (strict) throw refused('profile STRICT needs `ROK_SIGNING_KEY`');
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const kid = `${DEVELOPMENT}${randomUUID()}`;
  log.warn({ kid }, 'no ROK_SIGNING_KEY: receipts are signed with a development key of this process');
  return createSigner({ ...(await exportJWK(privateKey)), kid });
}

/** @throws StartError when another key signed by this name before */
export async function enterSigner(sql: Sql, signer: Signer): Promise<void> {
  if (!(await enterKey(sql, signer)))
    throw refused(`another key signed as \`${signer.kid}\` before: its receipts would not verify any more`);
}

/** Writes what has grown, where the deployment named a file for it; a file that cannot be written stops no judging. */
export function headsKeeper(sql: Sql, { config, log }: Keyed): () => Promise<void> {
  const { heads: file } = config;
  if (file === undefined) return () => Promise.resolve();
  const write = headWriter(sql, (lines) => appendDurably(file, lines));
  return async () => {
    try {
      await write();
    } catch (error) {
      log.error({ err: error, file }, 'heads of the receipt chains were not written outside; tried again');
    }
  };
}
