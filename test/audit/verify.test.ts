/** A bundle verifies offline against a trust root from outside; of a tampered one the first broken thing is named. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { calculateJwkThumbprint, decodeJwt, type JSONWebKeySet } from 'jose';
import { bundleText, type Bundle, type RecordKind } from '../../src/audit/evidence/evidence.js';
import { receiptText, type Receipt } from '../../src/audit/receipts/receipt.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { parseStrict, parseStrictFile } from '../../src/audit/verify/json.js';
import { verifyBundle, type Verification } from '../../src/audit/verify/verify.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import type { JsonObject } from '../../src/domain/json.js';
import { createReceiptRig, privateKey, type ReceiptRig } from './receipts-rig.js';
import { resigned, type Edit } from './resigned.js';
import { byPython } from './verify-python.js';

let rig: ReceiptRig;
let bundle: Bundle;
let other: Bundle;
beforeAll(async () => {
  rig = await createReceiptRig();
  [bundle, other] = [
    await rig.bundleOf(await rig.signedRun({ rich: true })),
    await rig.bundleOf(await rig.signedRun({ rich: true })),
  ];
});
afterAll(() => rig.stop());

const broken = (what: string, detail: unknown = expect.any(String)) => ({ result: 'broken', broken: { what, detail } });
const verified = (changed: Bundle): Promise<Verification> => verifyBundle(bundleText(changed), { jwks: rig.jwks });

describe('the trust root', () => {
  it('comes from outside: without it the best answer is "consistent, signer unknown"', async () => {
    expect((await verifyBundle(bundleText(bundle), null)).result).toBe('consistent, signer unknown');
  });

  it("is a key set, or the thumbprint of a key that the bundle carries; a forger's own key in the bundle is neither", async () => {
    const thumbprint = await calculateJwkThumbprint(rig.signer.publicJwk);
    expect((await verifyBundle(bundleText(bundle), { jwks: rig.jwks })).result).toBe('verified');
    expect((await verifyBundle(bundleText(bundle), { thumbprint })).result).toBe('verified');

    for (const kid of ['forger', 'audit-1']) {
      const forger = await createSigner(await privateKey(kid));
      const receipt = await forger.sign(receiptText(decodeJwt(bundle.receipt) as unknown as Receipt));
      const forged = bundleText({ ...bundle, receipt, keys: { keys: [forger.publicJwk] } });
      expect((await verifyBundle(forged, null)).result).toBe('consistent, signer unknown');
      expect(await verifyBundle(forged, { jwks: rig.jwks })).toEqual(
        kid === 'forger' ? broken('receipt.signer') : broken('receipt.signature', 'the signature does not verify'),
      );
      expect(await verifyBundle(forged, { thumbprint })).toEqual(broken('receipt.signer'));
    }
    expect(await verifyBundle(bundleText(bundle), { jwks: { keys: [] } })).toEqual(broken('receipt.signer'));
  });

  it('does not make a bundle consistent whose own key does not fit', async () => {
    const keys: JSONWebKeySet = { keys: [{ ...(await createSigner(await privateKey('audit-1'))).publicJwk }] };
    expect(await verifyBundle(bundleText({ ...bundle, keys }), null)).toEqual(broken('receipt.signature'));
  });

  it('is not fooled by a signature of something else, or by one with bits left over', async () => {
    const [header = '', payload = '', signature = ''] = bundle.receipt.split('.');
    const last = signature.slice(-1);
    const twin = String.fromCharCode(last.charCodeAt(0) + (last === 'Z' || last === 'z' || last === '9' ? -1 : 1));
    expect(await verified({ ...bundle, receipt: `${header}.${payload}.${signature.slice(0, -1)}${twin}` })).toEqual(
      broken('receipt.signature'),
    );
    const typ = Buffer.from('{"alg":"EdDSA","kid":"audit-1","typ":"JWT"}').toString('base64url');
    expect(await verified({ ...bundle, receipt: `${typ}.${payload}.${signature}` })).toEqual(
      broken('receipt.signature', 'it is a signature of something else'),
    );
    expect(await verified({ ...bundle, receipt: 'no receipt' })).toEqual(
      broken('receipt.signature', 'it is not a compact JWS'),
    );
  });
});

describe('outside heads', () => {
  it('are held against the receipt of that number', async () => {
    const answer = await verified(bundle);
    if (answer.result !== 'verified') throw new Error(answer.result);
    const { chain, n, hash } = answer.receipt;
    const head = { at: '2026-01-01T00:00:00.000000Z', chain, n, hash };
    const heads = (changed: object) => ({ heads: [{ ...head, ...changed }] });
    const text = bundleText(bundle);
    expect((await verifyBundle(text, { jwks: rig.jwks }, heads({}))).result).toBe('verified');
    expect((await verifyBundle(text, { jwks: rig.jwks }, heads({ chain: 'b', hash: '0' }))).result).toBe('verified');
    expect(await verifyBundle(text, { jwks: rig.jwks }, heads({ hash: '0'.repeat(64) }))).toEqual(
      broken(`head ${n} of acme`),
    );
  });
});

describe('what is broken first is named', () => {
  type Tamper = (bundle: Bundle) => Bundle;
  const hex = '7'.repeat(64);
  const rewritten = (kind: RecordKind, at: number, changed: JsonObject): Tamper => {
    return (b) => ({
      ...b,
      [kind]: b[kind].map((text, index) =>
        index === at ? canonicalJson({ ...(JSON.parse(text) as JsonObject), ...changed }) : text,
      ),
    });
  };
  const without = (kind: RecordKind | 'trace', at: number): Tamper => {
    return (b) => ({ ...b, [kind]: b[kind].filter((_, index) => index !== at) });
  };
  const event = (at: number, changed: object): Tamper => {
    return (b) => ({ ...b, trace: b.trace.map((one, index) => (index === at ? { ...one, ...changed } : one)) });
  };
  const spliced = (kind: RecordKind | 'trace', at: number): Tamper => {
    return (b) => ({
      ...b,
      [kind]: (b[kind] as readonly unknown[]).map((one, i) => (i === at ? other[kind][i] : one)),
    });
  };

  it.each<[string, string, Tamper]>([
    ['bundle', 'a member too many', (b) => ({ ...b, extra: 1 }) as Bundle],
    ['receipt', 'the run', (b) => ({ ...b, run: 'run_00000000-0000-0000-0000-000000000000' })],
    ['receipt', 'another run as a whole, but for its receipt', (b) => ({ ...other, receipt: b.receipt })],
    [
      'contract',
      'a word of the contract',
      (b) => ({ ...b, contract: b.contract?.replace('"desk"', '"risk"') ?? null }),
    ],
    ['contract', 'the whole contract', (b) => ({ ...b, contract: null })],
    ['trace event 2', 'the bytes of an event', (b) => event(1, { bytes: b.trace[2]?.bytes })(b)],
    ['trace event 2', 'the time of an event', event(1, { at: '2026-01-01T00:00:00.000000Z' })],
    ['trace event 2', 'the form of a time', (b) => event(1, { at: b.trace[1]?.at.replace('Z', '+00:00') })(b)],
    ['trace event 2', 'an event left out', without('trace', 1)],
    ['trace event 2', 'an event of another run', spliced('trace', 1)],
    ['trace event 1', 'a hash', event(0, { hash: hex })],
    ['trace', 'the last event cut off', (b) => ({ ...b, trace: b.trace.slice(0, -1) })],
    ['verdict', 'the verdict', (b) => ({ ...b, verdict: b.verdict.replace('"COMPLETE"', '"INCOMPLETE"') })],
    ['amendment 1', 'an amendment', rewritten('amendments', 0, { hold: 2 })],
    ['amendment 1', 'an amendment left out', without('amendments', 0)],
    ['ack 2', 'who acknowledged', rewritten('acks', 1, { by: 'rok_decide' })],
    ['ack 3', 'the last ack left out', without('acks', 2)],
    [
      'ack 4',
      'an ack too many',
      (b) => ({ ...b, acks: [...b.acks, canonicalJson({ ...(JSON.parse(b.acks[0] ?? '') as JsonObject), n: 4 })] }),
    ],
    ['ack 2', 'acks in another order', (b) => ({ ...b, acks: [...b.acks].reverse() })],
    ['ack at place 1', 'an ack that is none', (b) => ({ ...b, acks: ['{}'] })],
    ['decision 1.1', 'an effect', rewritten('decisions', 0, { effect: 'deny' })],
    ['decision 1.1', 'white space', (b) => ({ ...b, decisions: b.decisions.map((text) => `${text} `) })],
    ['decision 2.1', 'a decision left out', without('decisions', 1)],
    ['decision 1.1', 'a decision twice', (b) => ({ ...b, decisions: [b.decisions[0] ?? '', ...b.decisions] })],
    [
      'decision 9.1',
      'a decision too many',
      (b) => ({ ...b, decisions: [...b.decisions, (b.decisions[0] ?? '').replace('"step":1', '"step":9')] }),
    ],
    ['attempt 1.1', 'an action', rewritten('attempts', 0, { actionDigest: hex })],
    ['attempt 2.2', 'an attempt of another run', spliced('attempts', 1)],
    ['result 3.1', 'a usage', rewritten('results', 2, { outputTokens: '6' })],
    ['result 1.1', 'all results', (b) => ({ ...b, results: [] })],
  ])('%s: %s', async (what, _why, tamper) => {
    expect(await verified(tamper(bundle))).toEqual(broken(what));
  });

  it('a receipt whose verdict does not follow from its findings is broken, whoever signed it', async () => {
    const receipt = decodeJwt(bundle.receipt) as unknown as Receipt;
    const findings = [{ code: 'MISSING', blocking: true, subject: 'a/b', detail: 'x' }] as const;
    const forged = await rig.signer.sign(receiptText({ ...receipt, verdict: { ...receipt.verdict, findings } }));
    expect(await verified({ ...bundle, receipt: forged })).toEqual(
      broken('verdict', 'it does not follow from its findings'),
    );
  });

  it.each<[string, string, Edit]>([
    [
      'attempt 1.1',
      'no decision allowed it',
      { records: { attempts: (one) => (one['step'] === 1 ? { ...one, actionDigest: hex } : one) } },
    ],
    [
      'verdict',
      'it is COMPLETE, and nobody acknowledged orchestrator/finalize_run',
      { records: { acks: (ack) => (ack['action'] === 'finalize_run' ? null : ack) } },
    ],
    [
      'verdict',
      'it is COMPLETE, and orchestrator/finalize_run came late',
      {
        records: {
          acks: (ack) => (ack['action'] === 'finalize_run' ? { ...ack, at: '2999-01-01T00:00:00.000000Z' } : ack),
        },
      },
    ],
    [
      'verdict',
      'it is COMPLETE, and the run was in phase EXECUTING with outcome none',
      { receipt: (r) => ({ ...r, facts: r.facts && { ...r.facts, phase: 'EXECUTING', outcome: null } }) },
    ],
    ['verdict', 'it is COMPLETE, and states no facts', { receipt: (r) => ({ ...r, facts: null }) }],
    [
      'expectation policies/evaluate_policy',
      'it is MISSING, and the verdict does not say so',
      { records: { acks: (ack) => (ack['domain'] === 'policies' ? null : ack) } },
    ],
    [
      'expectation policies/evaluate_policy',
      'it is ROLLED_BACK, and the verdict does not say so',
      { records: { acks: (ack) => (ack['domain'] === 'policies' ? { ...ack, status: 'rolled_back' } : ack) } },
    ],
    [
      'expectation logs/start_trace',
      'it is LATE, and the verdict does not say so',
      {
        records: {
          acks: (ack) => (ack['domain'] === 'logs' ? { ...ack, at: '2999-01-01T00:00:00.000000Z' } : ack),
        },
      },
    ],
    [
      'ack 4',
      'nobody expected it, and the verdict does not say so',
      { records: { acks: (ack) => (ack['n'] === 3 ? [ack, { ...ack, n: 4, action: 'dance' }] : ack) } },
    ],
    [
      'attempt 6.1',
      'its result is not known, and the verdict does not say so',
      {
        records: {
          decisions: (one) => (one['step'] === 5 ? [one, { ...one, step: 6 }] : one),
          attempts: (one) => (one['step'] === 3 ? [one, { ...one, step: 6, actionDigest: 'e'.repeat(64) }] : one),
        },
        receipt: (r) => ({
          ...r,
          facts: r.facts && { ...r.facts, allow: r.facts.allow + 1, attempts: r.facts.attempts + 1, unknowns: 1 },
        }),
      },
    ],
  ])('%s: %s, whoever signed it', async (what, detail, edit) => {
    const forged = bundleText(await resigned(bundle, rig.signer, edit));
    expect(await verifyBundle(forged, { jwks: rig.jwks })).toEqual(broken(what, detail));
    expect(await byPython([forged], rig.jwks)).toEqual([`broken: ${what}: ${detail}`]);
  });
});

describe('JSON of evidence', () => {
  const bad = [
    ['a member twice', '{"a":1,"a":1}'],
    ['a member twice, once in escapes', '{"a":1,"\\u0061":1}'],
    ['a fraction', '{"a":1.0}'],
    ['an exponent', '{"a":1e3}'],
    ['minus zero', '{"a":-0}'],
    ['a leading zero', '{"a":01}'],
    ['a plus', '{"a":+1}'],
    ['an integer beyond 2^53', '{"a":9007199254740993}'],
    ['half of a surrogate pair', '{"a":"\\ud800"}'],
    ['the other half', '{"\\udc00":1}'],
    ['a mark before it', '\uFEFF{"a":1}'],
    ['text after it', '{"a":1} x'],
    ['a comma too many', '{"a":[1,]}'],
    ['a comment', '{"a":1/**/}'],
    ['a line end in a string', '{"a":"\n"}'],
    ['an escape that is none', '{"a":"\\x"}'],
    ['a word that is none', '{"a":NaN}'],
    ['no end', '{"a":"'],
    ['too many levels', `${'['.repeat(65)}${']'.repeat(65)}`],
  ] as const;
  it.each(bad)('with %s is refused', (_why, text) => {
    expect(() => parseStrict(text)).toThrow();
    expect(parseStrictFile(text)).toBeNull();
  });

  it('is otherwise what JSON.parse takes it for', () => {
    for (const text of [
      '{"a":[1,-1,0,9007199254740991,null,true,false,"\\u00e9\\ud83d\\ude00é😀\\n"],"b":{},"c":[]}',
      ' { "" : [ ] } \n',
      '"x"',
      '{"__proto__":1,"constructor":{"__proto__":{}}}',
      `${'['.repeat(64)}${']'.repeat(64)}`,
    ])
      expect(parseStrict(text)).toEqual(JSON.parse(text));
    expect(parseStrictFile(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBeNull();
  });
});
