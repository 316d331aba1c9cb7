/** A bundle of a million events, made here and verified from its bytes. What is timed is everything that `rok verify` does with a file. */
import { exportJWK, generateKeyPair } from 'jose';
import { newRun } from '../test/audit/facts.js';
import { bundleText } from '../src/audit/evidence.js';
import { NO_RECEIPT, receiptText, verdictText } from '../src/audit/receipt.js';
import { digestsOf, recordDigest } from '../src/audit/records.js';
import { createSigner } from '../src/audit/signer.js';
import { chainRoot, type ChainEvent, type Sha256 } from '../src/audit/trace-chain.js';
import { verifyBundle } from '../src/audit/verify.js';
import { canonicalJson } from '../src/domain/canonical-json.js';
import { runIdOf, asDigest } from '../src/domain/ids.js';

const EVENTS = 1_000_000;
const AT = '2026-01-01T00:00:00.000000Z';
const MICROS = BigInt(Date.parse(AT)) * 1000n;

export async function verifyMillion(sha256: Sha256): Promise<{ readonly seconds: number; readonly bytes: number }> {
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
  const empty = { amendments: [], acks: [], decisions: [], attempts: [], results: [] };
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
  const records = { ...digestsOf(run, empty), verdict: recordDigest('verdict', run, verdictText(verdict)) };
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
  const bytes = Buffer.from(
    bundleText({
      version: 1,
      run,
      receipt,
      contract,
      verdict: verdictText(verdict),
      ...empty,
      trace,
      keys: { keys: [] },
    }),
  );
  const began = performance.now();
  const answer = await verifyBundle(bytes, { jwks: { keys: [signer.publicJwk] } }, { sha256 });
  const seconds = (performance.now() - began) / 1000;
  if (answer.result !== 'verified') throw new Error(`it does not verify: ${JSON.stringify(answer)}`);
  return { seconds, bytes: bytes.length };
}

/** Hashed apart from trace-chain.ts, so that the two agree or the verification fails. */
function longTrace(contract: string, sha256: Sha256): readonly ChainEvent[] {
  let hash = chainRoot(contract);
  const numbers = Buffer.alloc(16);
  numbers.writeBigInt64BE(MICROS, 8);
  return Array.from({ length: EVENTS }, (_, index) => {
    const seq = index + 1;
    const body = { attempt: 1, input: 1200, output: 85, step: seq };
    const bytes = canonicalJson({ id: `${seq}.phase`, kind: 'phase.changed', body });
    numbers.writeBigInt64BE(BigInt(seq));
    hash = sha256(Buffer.concat([Buffer.from('rok.trace.v1'), Buffer.from(hash, 'hex'), numbers, Buffer.from(bytes)]));
    return { seq, at: AT, bytes, hash };
  });
}
