/** Receipts: signed, numbered and chained per tenant, each verdict once. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { collectBundle } from '../../src/audit/evidence/bundle.js';
import { closeRun } from '../../src/audit/judge/close.js';
import { bundleText } from '../../src/audit/evidence/evidence.js';
import { enterKey, readKeys } from '../../src/audit/evidence/key-set.js';
import { receiptHash, type Receipt } from '../../src/audit/receipts/receipt.js';
import { signVerdicts } from '../../src/audit/receipts/receipts.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { uuidOf } from '../../src/domain/ids.js';
import { aRun } from './facts.js';
import { judgePlanted, openAs } from './judged.js';
import { createReceiptRig, privateKey, type ReceiptRig } from './receipts-rig.js';
import { sealedRun } from './sealed-run.js';

let rig: ReceiptRig;
beforeAll(async () => {
  rig = await createReceiptRig();
});
afterAll(() => rig.stop());

describe('signing', () => {
  it("a run that went through every power's own functions is COMPLETE, signed, and verifies", async () => {
    const run = await sealedRun(rig.stack, rig.logins);
    const answer = await closeRun(rig.deps, run);
    expect({ ...answer, receipt: typeof answer.receipt }).toEqual({
      status: 'COMPLETE',
      revision: 1,
      findings: 0,
      receipt: 'number',
    });
    expect(await closeRun(rig.deps, run)).toEqual(answer);
    const bundle = await rig.bundleOf(run);
    expect(await verifyBundle(bundleText(bundle), { jwks: rig.jwks })).toEqual({
      result: 'verified',
      kid: 'audit-1',
      receipt: {
        run,
        agent: 'desk',
        status: 'COMPLETE',
        revision: 1,
        chain: 'acme',
        n: `${answer.receipt ?? 0}`,
        hash: receiptHash(bundle.receipt),
      },
    });
    expect((decodeJwt(bundle.receipt) as unknown as Receipt).facts).toEqual({
      phase: 'COMPLETED',
      outcome: 'succeeded',
      traceLength: '4',
      traceHash: bundle.trace[3]?.hash,
      allow: 2,
      deny: 0,
      pause: 0,
      refusedCalls: 0,
      attempts: 1,
      unknowns: 0,
      spentMicros: '42',
      spentTokens: '15',
      policySets: ['1'.repeat(64)],
      priceTables: ['1'.repeat(64)],
    });
  });
  it('is PENDING without a receipt while the run is open', async () => {
    const run = await sealedRun(rig.stack, rig.logins, { open: true });
    expect(await closeRun(rig.deps, run)).toEqual({ status: null, revision: 0, findings: 0, receipt: null });
    expect(await collectBundle(rig.logins.audit, run)).toBeNull();
  });
  it('numbers and chains per tenant without a gap, with several signers at once, each verdict once', async () => {
    for (const tenant of ['chain-a', 'chain-b', 'chain-a', 'chain-b', 'chain-a']) {
      const run = await sealedRun(rig.stack, rig.logins, { tenant });
      await rig.logins.audit.query('SELECT * FROM audit.judge($1::uuid[], 1)', [[uuidOf(run)]]);
    }
    const signed = await Promise.all(Array.from({ length: 4 }, () => signVerdicts(rig.logins.audit, rig.signer)));
    expect(signed.reduce((sum, one) => sum + one, 0)).toBe(5);
    for (const [tenant, length] of [
      ['chain-a', 3],
      ['chain-b', 2],
    ] as const) {
      const rows = await rig.logins.audit.query<{ n: bigint; jws: string; prev: string; hash: string }>(
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
    expect(await signVerdicts(rig.logins.audit, rig.signer)).toBe(0);
  });
  it('a new revision names the one it supersedes, and the earlier receipt still verifies', async () => {
    const run = await sealedRun(rig.stack, rig.logins);
    await closeRun(rig.deps, run);
    await rig.logins.execute.query(
      `SELECT audit.ack($1, 'policies', 'evaluate_policy', 'rolled_back', '{"table":"execute.evaluations"}')`,
      [uuidOf(run)],
    );
    await closeRun(rig.deps, run);
    const verdicts = [];
    for (const revision of [1, 2]) {
      const bundle = await rig.bundleOf(run, revision);
      expect((await verifyBundle(bundleText(bundle), { jwks: rig.jwks })).result).toBe('verified');
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
    await judgePlanted(rig.stack.admin, rig.logins.audit, facts);
    expect(await signVerdicts(rig.logins.audit, rig.signer)).toBe(1);
  });
  it('takes a private Ed25519 key with a name, and nothing else', async () => {
    const key = await privateKey('k');
    const { d: _secret, ...publicOnly } = key;
    await expect(createSigner(publicOnly)).rejects.toThrow('must be a private Ed25519 JWK');
    const { kid: _name, ...nameless } = key;
    await expect(createSigner(nameless)).rejects.toThrow('must be a private Ed25519 JWK');
  });
});

describe('keys', () => {
  it('a new key signs, and receipts of the retired one still verify with a set that holds both', async () => {
    const before = await rig.bundleOf(await rig.signedRun());
    const next = await createSigner(await privateKey('audit-2'));
    const run = await sealedRun(rig.stack, rig.logins);
    await closeRun({ ...rig.deps, signer: next }, run);
    const after = await rig.bundleOf(run);
    const kidOf = async (text: string, keys: typeof rig.jwks.keys) => {
      const answer = await verifyBundle(text, { jwks: { keys } });
      return answer.result === 'verified' ? answer.kid : answer;
    };
    const both = [rig.signer.publicJwk, next.publicJwk];
    expect(await kidOf(bundleText(before), both)).toBe('audit-1');
    expect(await kidOf(bundleText(after), both)).toBe('audit-2');
    expect(await kidOf(bundleText(after), [rig.signer.publicJwk])).toEqual({
      result: 'broken',
      broken: { what: 'receipt.signer', detail: 'the key that signed it is not trusted' },
    });
  });

  it('are entered once each, in order; another key under a known name is refused', async () => {
    const reader = await openAs(rig.stack, 'read');
    const [first, second] = [await createSigner(await privateKey('k-1')), await createSigner(await privateKey('k-2'))];
    for (const signer of [first, first, second]) expect(await enterKey(rig.logins.audit, signer)).toBe(true);
    expect(await readKeys(reader)).toEqual({ keys: [first.publicJwk, second.publicJwk] });
    expect(await enterKey(rig.logins.audit, await createSigner(await privateKey('k-1')))).toBe(false);
    await reader.close();
  });
});
