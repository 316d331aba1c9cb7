/** Receipts: signed, numbered and chained per tenant; a bundle verifies offline, and of a tampered one the first broken thing is named. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt, exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import { collectBundle } from '../../src/audit/bundle.js';
import { closeRun } from '../../src/audit/close.js';
import type { Bundle } from '../../src/audit/evidence.js';
import { receiptHash, receiptText, type Receipt } from '../../src/audit/receipt.js';
import { signVerdicts } from '../../src/audit/receipts.js';
import { createSigner, type Signer } from '../../src/audit/signer.js';
import type { SweepDeps } from '../../src/audit/sweep.js';
import { verifyBundle } from '../../src/audit/verify.js';
import { uuidOf } from '../../src/domain/ids.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun } from './facts.js';
import { judgePlanted } from './judged.js';
import { closeLogins, openLogins, sealedRun, type Logins } from './sealed-run.js';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const privateKey = async (kid: string): Promise<JWK> => {
  const { privateKey: key } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return { ...(await exportJWK(key)), kid };
};

let stack: Stack;
let logins: Logins;
let signer: Signer;
let trusted: JSONWebKeySet;
let deps: SweepDeps;
beforeAll(async () => {
  stack = await createStack();
  logins = await openLogins(stack);
  signer = await createSigner(await privateKey('audit-1'));
  trusted = { keys: [signer.publicJwk] };
  deps = { database: logins.audit, signer, assertionKeys: null, log: quiet };
});
afterAll(async () => {
  await closeLogins(logins);
  await stack.drop();
});

async function bundleOf(tenant?: string): Promise<Bundle> {
  const run = await sealedRun(stack, logins, tenant === undefined ? {} : { tenant });
  await closeRun(deps, run);
  const bundle = await collectBundle(logins.audit, run);
  if (bundle === null) throw new Error('no receipt');
  return bundle;
}

describe('signing', () => {
  it("a run that went through every power's own functions is COMPLETE, signed, and verifies", async () => {
    const run = await sealedRun(stack, logins);
    const answer = await closeRun(deps, run);
    expect({ ...answer, receipt: typeof answer.receipt }).toEqual({
      status: 'COMPLETE',
      revision: 1,
      findings: 0,
      receipt: 'number',
    });
    expect(await closeRun(deps, run)).toEqual(answer);
    const bundle = await collectBundle(logins.audit, run);
    if (bundle === null) throw new Error('no receipt');
    expect(await verifyBundle(bundle, trusted)).toEqual({
      result: 'verified',
      kid: 'audit-1',
      receipt: { run, status: 'COMPLETE', revision: 1, n: `${answer.receipt ?? 0}`, hash: receiptHash(bundle.receipt) },
    });
    expect((decodeJwt(bundle.receipt) as unknown as Receipt).facts).toEqual({
      phase: 'COMPLETED',
      outcome: 'succeeded',
      traceLength: '4',
      traceHash: bundle.trace[3]?.hash,
      allow: 2,
      deny: 0,
      pause: 0,
      attempts: 1,
      unknowns: 0,
      spentMicros: '42',
      spentTokens: '15',
      policySets: ['1'.repeat(64)],
      priceTables: ['1'.repeat(64)],
    });
  });
  it('is PENDING without a receipt while the run is open', async () => {
    const run = await sealedRun(stack, logins, { open: true });
    expect(await closeRun(deps, run)).toEqual({ status: null, revision: 0, findings: 0, receipt: null });
    expect(await collectBundle(logins.audit, run)).toBeNull();
  });
  it('numbers and chains per tenant without a gap, with several signers at once, each verdict once', async () => {
    for (const tenant of ['chain-a', 'chain-b', 'chain-a', 'chain-b', 'chain-a']) {
      const run = await sealedRun(stack, logins, { tenant });
      await logins.audit.query('SELECT * FROM audit.judge($1::uuid[], 1)', [[uuidOf(run)]]);
    }
    const signed = await Promise.all(Array.from({ length: 4 }, () => signVerdicts(logins.audit, signer)));
    expect(signed.reduce((sum, one) => sum + one, 0)).toBe(5);
    for (const [tenant, length] of [
      ['chain-a', 3],
      ['chain-b', 2],
    ] as const) {
      const rows = await logins.audit.query<{ n: bigint; jws: string; prev: string; hash: string }>(
        `SELECT n, jws, encode(prev, 'hex') AS prev, encode(hash, 'hex') AS hash FROM audit.receipts WHERE tenant = $1 ORDER BY n`,
        [tenant],
      );
      expect(rows.map((row) => row.n)).toEqual(Array.from({ length }, (_, at) => BigInt(at + 1)));
      let prev = '0'.repeat(64);
      for (const row of rows) {
        expect([row.prev, row.hash, decodeJwt(row.jws)['prev']]).toEqual([prev, receiptHash(row.jws), prev]);
        prev = row.hash;
      }
    }
    expect(await signVerdicts(logins.audit, signer)).toBe(0);
  });
  it('a new revision names the one it supersedes, and the earlier receipt still verifies', async () => {
    const run = await sealedRun(stack, logins);
    await closeRun(deps, run);
    await logins.execute.query(
      `SELECT audit.ack($1, 'policies', 'evaluate_policy', 'rolled_back', '{"table":"execute.evaluations"}')`,
      [uuidOf(run)],
    );
    await closeRun(deps, run);
    const verdicts = [];
    for (const revision of [1, 2]) {
      const bundle = await collectBundle(logins.audit, run, revision);
      if (bundle === null) throw new Error('no receipt');
      expect((await verifyBundle(bundle, trusted)).result).toBe('verified');
      const { verdict } = decodeJwt(bundle.receipt) as unknown as Receipt;
      verdicts.push([verdict.revision, verdict.supersedes, verdict.status]);
    }
    expect(verdicts).toEqual([
      [1, null, 'COMPLETE'],
      [2, 1, 'INCOMPLETE'],
    ]);
  });
  it('signs what the judge found of planted runs too', async () => {
    const facts = aRun({ tenant: 'planted', forged: ['u-1'] });
    await judgePlanted(stack.admin, logins.audit, facts);
    expect(await signVerdicts(logins.audit, signer)).toBe(1);
  });
  it('takes a private Ed25519 key with a name, and nothing else', async () => {
    const key = await privateKey('k');
    const { d: _secret, ...publicOnly } = key;
    await expect(createSigner(publicOnly)).rejects.toThrow('must be a private Ed25519 JWK');
    const { kid: _name, ...nameless } = key;
    await expect(createSigner(nameless)).rejects.toThrow('must be a private Ed25519 JWK');
  });
});

describe('verifying', () => {
  const broken = (what: string) => ({ result: 'broken', broken: { what, detail: expect.any(String) } });
  it('without a trust root: consistent, signer unknown', async () => {
    expect((await verifyBundle(await bundleOf(), null)).result).toBe('consistent, signer unknown');
  });
  it('names a signer that is not trusted, and a key that only bears a trusted name', async () => {
    const bundle = await bundleOf();
    expect(await verifyBundle(bundle, { keys: [(await createSigner(await privateKey('other'))).publicJwk] })).toEqual(
      broken('receipt.signer'),
    );
    expect(await verifyBundle(bundle, { keys: [(await createSigner(await privateKey('audit-1'))).publicJwk] })).toEqual(
      broken('receipt.signature'),
    );
    expect(await verifyBundle(bundle, { keys: [] })).toEqual(broken('receipt.signer'));
  });

  type Tamper = (bundle: Bundle) => Bundle;
  const change = <T extends object>(list: readonly T[], at: number, with_: Partial<T>): readonly T[] =>
    list.map((one, index) => (index === at ? { ...one, ...with_ } : one));
  const hex = '7'.repeat(64);
  it.each<[string, Tamper]>([
    [
      'receipt.signature',
      (b) => ({ ...b, receipt: b.receipt.replace(/\.(.)/, (_, first: string) => `.${first === 'e' ? 'f' : 'e'}`) }),
    ],
    ['receipt.signature', (b) => ({ ...b, receipt: 'no receipt' })],
    ['receipt', (b) => ({ ...b, run: 'run_00000000-0000-0000-0000-000000000000' })],
    ['contract', (b) => ({ ...b, contract: b.contract?.replace('"desk"', '"risk"') ?? null })],
    ['contract', (b) => ({ ...b, contract: null })],
    [
      'trace event 2',
      (b) => ({ ...b, trace: change(b.trace, 1, { bytes: (b.trace[1]?.bytes ?? '').replace('allow', 'deny') }) }),
    ],
    ['trace event 2', (b) => ({ ...b, trace: change(b.trace, 1, { at: '2026-01-01T00:00:00.000000Z' }) })],
    ['trace event 2', (b) => ({ ...b, trace: b.trace.filter((one) => one.seq !== 2) })],
    ['trace event 1', (b) => ({ ...b, trace: change(b.trace, 0, { hash: hex }) })],
    ['trace', (b) => ({ ...b, trace: b.trace.slice(0, 3) })],
    ['acks', (b) => ({ ...b, acks: change(b.acks, 1, { by: 'rok_decide' }) })],
    ['acks', (b) => ({ ...b, acks: b.acks.slice(1) })],
    [
      'amendments',
      (b) => ({
        ...b,
        amendments: [{ n: 1, step: 1, attempt: 1, hold: 1, reason: 'r', runDeadline: '', finalizeDue: '', at: '' }],
      }),
    ],
    ['attempt 1.1', (b) => ({ ...b, decisions: change(b.decisions, 0, { effect: 'deny' }) })],
    ['attempt 1.1', (b) => ({ ...b, attempts: change(b.attempts, 0, { actionDigest: hex }) })],
    [
      'attempt 9.1',
      (b) => ({ ...b, attempts: [...b.attempts, { step: 9, attempt: 1, actionDigest: hex, startedAt: '' }] }),
    ],
    ['result 1.1', (b) => ({ ...b, results: change(b.results, 0, { outputTokens: '6' }) })],
    ['result 1.1', (b) => ({ ...b, attempts: [] })],
    ['result 1.1', (b) => ({ ...b, results: [] })],
    ['decisions that allow', (b) => ({ ...b, decisions: b.decisions.slice(0, 1) })],
    ['decision 2.1', (b) => ({ ...b, decisions: change(b.decisions, 1, { policySetDigest: hex }) })],
  ])('names %s when that was changed', async (what, tamper) => {
    expect(await verifyBundle(tamper(await bundleOf()), trusted)).toEqual(broken(what));
  });

  it('a receipt whose verdict does not follow from its findings is broken, whoever signed it', async () => {
    const bundle = await bundleOf();
    const receipt = decodeJwt(bundle.receipt) as unknown as Receipt;
    const findings = [{ code: 'MISSING', blocking: true, subject: 'a/b', detail: 'x' }] as const;
    const forged = await signer.sign(receiptText({ ...receipt, verdict: { ...receipt.verdict, findings } }));
    expect(await verifyBundle({ ...bundle, receipt: forged }, trusted)).toEqual(broken('verdict'));
  });
});
