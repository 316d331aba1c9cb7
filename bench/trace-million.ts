/**
 * A program that writes a bundle of a million events and the key set that verifies it: `trace-million.ts FOLDER`. A process
 * of its own, so that whoever verifies the file begins with an empty memory, as `rok verify` does.
 */
import { hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JSONWebKeySet } from 'jose';
import { newRun } from '../test/audit/facts.js';
import { bundleText, kindsOf, recordKinds, type RecordKind } from '../src/audit/evidence/evidence.js';
import { NO_RECEIPT, receiptText, verdictText } from '../src/audit/receipts/receipt.js';
import { recordDigest, type RecordDigests } from '../src/audit/evidence/records.js';
import { createSigner } from '../src/audit/receipts/signer.js';
import { chainRoot, type ChainEvent, type Sha256 } from '../src/audit/evidence/trace-chain.js';
import { canonicalJson } from '../src/domain/canonical-json.js';
import { runIdOf, asDigest } from '../src/domain/ids.js';

const EVENTS = 1_000_000;
const AT = '2026-01-01T00:00:00.000000Z';
const MICROS = BigInt(Date.parse(AT)) * 1000n;

/** @returns the bundle's text, and the key set that its receipt verifies with */
async function millionEvents(): Promise<{ readonly text: string; readonly jwks: JSONWebKeySet }> {
  const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'hex');
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const signer = await createSigner({ ...(await exportJWK(privateKey)), kid: 'bench' });
  const run = runIdOf(newRun());
  const terms = {
    tenant: 'bench',
    agent: 'desk',
    profile: 'STANDARD',
    runDeadline: AT,
    finalizeDue: AT,
    expiresAt: AT,
  };
  const contract = canonicalJson({ version: 1, run, ...terms, declaredAt: AT, expectations: [] });
  const trace = longTrace(contract, sha256);
  const verdict = {
    revision: 1,
    status: 'STALE',
    findings: [{ code: 'MISSING', blocking: true, subject: 'a/b', detail: 'c' }],
    judgedAt: AT,
  } as const;
  const empty = Object.fromEntries(recordKinds.map((kind) => [kind, []])) as unknown as Record<RecordKind, readonly []>;
  const facts = {
    ...{ phase: 'EXECUTING', outcome: null, traceLength: String(EVENTS), traceHash: trace.at(-1)?.hash ?? null },
    ...{
      allow: 0,
      deny: 0,
      pause: 0,
      attempts: 0,
      unknowns: 0,
      spentMicros: '0',
      spentTokens: '0',
      policySets: [],
      priceTables: [],
    },
  };
  const none = Object.fromEntries(kindsOf(1).map((kind) => [kind, {}])) as unknown as RecordDigests;
  const records = { ...none, verdict: recordDigest('verdict', run, verdictText(verdict)) };
  const receipt = await signer.sign(
    receiptText({
      version: 1,
      chain: 'bench',
      n: '1',
      prev: NO_RECEIPT,
      run,
      contract: { digest: asDigest(chainRoot(contract)), ...terms },
      verdict: { ...verdict, supersedes: null },
      facts,
      records,
    }),
  );
  const text = bundleText({
    version: 1,
    run,
    receipt,
    contract,
    verdict: verdictText(verdict),
    ...empty,
    trace,
    keys: { keys: [] },
  });
  return { text, jwks: { keys: [signer.publicJwk] } };
}

/** Hashed apart from trace-chain.ts, so that the two agree or the verification fails. */
function longTrace(contract: string, sha256: Sha256): readonly ChainEvent[] {
  let last = chainRoot(contract);
  const numbers = Buffer.alloc(16);
  numbers.writeBigInt64BE(MICROS, 8);
  return Array.from({ length: EVENTS }, (_, index) => {
    const seq = index + 1;
    const body = { attempt: 1, input: 1200, output: 85, step: seq };
    const bytes = canonicalJson({ id: `${seq}.phase`, kind: 'phase.changed', body });
    numbers.writeBigInt64BE(BigInt(seq));
    last = sha256(Buffer.concat([Buffer.from('rok.trace.v1'), Buffer.from(last, 'hex'), numbers, Buffer.from(bytes)]));
    return { seq, at: AT, bytes, hash: last };
  });
}

const [folder = '.'] = process.argv.slice(2);
const { text, jwks } = await millionEvents();
await writeFile(join(folder, 'million.json'), text);
await writeFile(join(folder, 'jwks.json'), JSON.stringify(jwks));
