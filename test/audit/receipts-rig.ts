/** A database with an auditor: key, trust root, and bundles of runs that went through every power's own functions. */
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import { collectBundle } from '../../src/audit/evidence/bundle.js';
import { closeRun } from '../../src/audit/judge/close.js';
import type { Bundle } from '../../src/audit/evidence/evidence.js';
import { createSigner, type Signer } from '../../src/audit/receipts/signer.js';
import type { SweepDeps } from '../../src/audit/reconcile/reconciler.js';
import type { RunId } from '../../src/domain/ids.js';
import { createStack, type Stack } from '../stack/stack.js';
import { closeLogins, openLogins, sealedRun, type Logins, type SealedOptions } from './sealed-run.js';

export const privateKey = async (kid: string): Promise<JWK> => {
  const { privateKey: key } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return { ...(await exportJWK(key)), kid };
};

export type ReceiptRig = {
  readonly stack: Stack;
  readonly logins: Logins;
  readonly signer: Signer;
  readonly jwks: JSONWebKeySet;
  readonly deps: SweepDeps;
  /** A run that was judged and signed. */
  signedRun(options?: SealedOptions): Promise<RunId>;
  bundleOf(run: RunId, revision?: number): Promise<Bundle>;
  stop(): Promise<void>;
};

export async function createReceiptRig(): Promise<ReceiptRig> {
  const stack = await createStack();
  const logins = await openLogins(stack);
  const signer = await createSigner(await privateKey('audit-1'));
  const jwks = { keys: [signer.publicJwk] };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const deps: SweepDeps = { database: logins.audit, signer, assertionKeys: null, log };
  return {
    stack,
    logins,
    signer,
    jwks,
    deps,
    async signedRun(options) {
      const run = await sealedRun(stack, logins, options);
      await closeRun(deps, run);
      return run;
    },
    async bundleOf(run, revision) {
      const bundle = await collectBundle(logins.audit, run, {
        keys: jwks,
        ...(revision === undefined ? {} : { revision }),
      });
      if (bundle === null) throw new Error(`${run} has no receipt`);
      return bundle;
    },
    async stop() {
      await closeLogins(logins);
      await stack.drop();
    },
  };
}
