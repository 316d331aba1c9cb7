/** An issuer of assertions for a test's runs in STRICT: a key pair, its key set in a file, and what it signs. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export type Assertions = {
  readonly keySet: string;
  /** An actor's claim for one act on one workflow; of an update it names the update and the action. */
  claim(ask: {
    readonly workflow: string;
    readonly verb: string;
    readonly sub: string;
    readonly roles?: readonly string[];
    readonly update?: string;
    readonly action?: string;
    readonly issuer?: string;
  }): Promise<{ readonly assertion: string }>;
};

export async function createAssertions(keySet: string): Promise<Assertions> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  await writeFile(keySet, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA' }] }));
  return {
    keySet,
    async claim({ workflow, verb, sub, roles = [], update, action, issuer = 'https://issuer.test' }) {
      const assertion = await new SignJWT({ verb, roles, ...(update && { update }), ...(action && { action }) })
        .setProtectedHeader({ alg: 'EdDSA', kid: 'k1' })
        .setSubject(sub)
        .setIssuer(issuer)
        .setAudience(workflow)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime('2m')
        .sign(privateKey);
      return { assertion };
    },
  };
}
