/**
 * The development issuer: signs assertions with a local key. For STANDARD only; in production an issuer that has
 * checked a login signs them, with a key that no command line has.
 */
import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import type { Purpose } from '../../client.js';
import { loadPrivateKey } from '../../platform/config/files.js';

export const DEVELOPMENT_ISSUER = 'rok-development';
export const LONGEST_S = 300;

export type Issue = Omit<Purpose, 'digest'> & {
  readonly digest?: string;
  readonly subject: string;
  readonly roles: readonly string[];
  readonly lifetimeS?: number;
};

/** @param keyFile a private JWK @returns a compact JWS, good for one message within at most 5 minutes */
export async function signDevAssertion(keyFile: string, issue: Issue): Promise<string> {
  const jwk = await loadPrivateKey(keyFile, 'ROK_ASSERTION_KEY');
  const alg = jwk.alg ?? 'EdDSA';
  const key = await importJWK(jwk, alg);
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    roles: issue.roles,
    verb: issue.verb,
    ...(issue.updateId === '' ? {} : { update: issue.updateId }),
    ...(issue.digest === undefined ? {} : { action: issue.digest }),
  })
    .setProtectedHeader({ alg, kid: jwk.kid })
    .setIssuer(DEVELOPMENT_ISSUER)
    .setSubject(issue.subject)
    .setAudience(issue.workflowId)
    .setJti(randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + Math.min(issue.lifetimeS ?? LONGEST_S, LONGEST_S))
    .sign(key);
}
