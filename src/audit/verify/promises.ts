/**
 * Compares the contract's promises with the acks, and the verdict with both: a verdict may not be better than its
 * records allow, and its findings must name each broken promise. Part of verify.ts; pure. The database's version of
 * these rules is sql/repeatable/audit/0603_promise_findings.sql and 0624_ruling.sql.
 */
import { parseContract, type Expectation } from '../evidence/contract.js';
import { recordKey, type AckRecord, type AttemptRecord, type ResultRecord } from '../evidence/evidence.js';
import type { Facts, Receipt } from '../receipts/receipt.js';
import { microsOf } from '../evidence/trace-chain.js';
import type { Broken } from './signature.js';

/** @param contract as it was declared, of which the shape was checked */
export function brokenPromises(contract: string, acks: readonly AckRecord[], receipt: Receipt): Broken | null {
  const { facts, verdict } = receipt;
  const expectations = parseContract(contract)?.expectations ?? [];
  if (facts === null) return null;
  const done = acks.find((ack) => nameOf(ack) === FINALIZE && ack.status === 'done');
  const status = brokenStatus(receipt, facts, done);
  if (status !== null) return { what: 'verdict', detail: status };
  const told = new Set(verdict.findings.map(({ code, subject }) => `${code} ${subject}`));
  for (const one of expectations) {
    const finding = brokenPromise(one, acks, { receipt, facts, final: done !== undefined });
    if (finding !== null && !told.has(`${finding} ${nameOf(one)}`))
      return { what: `expectation ${nameOf(one)}`, detail: `it is ${finding}, and the verdict does not say so` };
  }
  const named = new Set(expectations.map(nameOf));
  const drift = acks.find((ack) => !named.has(nameOf(ack)) && !told.has(`DRIFT ${nameOf(ack)}`));
  return drift === undefined
    ? null
    : { what: `ack ${drift.n}`, detail: 'nobody expected it, and the verdict does not say so' };
}

const FINALIZE = 'orchestrator/finalize_run';
const nameOf = ({ domain, action }: { readonly domain: string; readonly action: string }): string =>
  `${domain}/${action}`;

/** Times of one form; what has no such form is never in time. */
const isAfter = (at: string, due: string): boolean => !((microsOf(at) ?? Infinity) <= (microsOf(due) ?? -Infinity));

function brokenStatus({ verdict, contract }: Receipt, facts: Facts, done: AckRecord | undefined): string | null {
  if (verdict.status === 'STALE') return null;
  if (done === undefined) return `it is ${verdict.status}, and nobody acknowledged ${FINALIZE}`;
  if (isAfter(done.at, contract?.finalizeDue ?? '')) return `it is ${verdict.status}, and ${FINALIZE} came late`;
  const fits = facts.phase === (facts.outcome === 'succeeded' ? 'COMPLETED' : 'FAILED') && facts.outcome !== null;
  return verdict.status === 'COMPLETE' && !fits
    ? `it is COMPLETE, and the run was in phase ${facts.phase ?? 'none'} with outcome ${facts.outcome ?? 'none'}`
    : null;
}

type Moment = { readonly receipt: Receipt; readonly facts: Facts; readonly final: boolean };

/** The code of the finding that must be there; null when nothing is wrong with this promise. */
function brokenPromise(one: Expectation, acks: readonly AckRecord[], { receipt, facts, final }: Moment): string | null {
  const said = acks.filter((ack) => nameOf(ack) === nameOf(one));
  const last = said.at(-1)?.status;
  if (last === 'failed') return 'FAILED';
  if (last === 'rolled_back') return 'ROLLED_BACK';
  if (one.condition !== 'always' && (facts.outcome === null || facts.outcome === 'succeeded')) return null;
  const due = one.due === 'finalize' ? (receipt.contract?.finalizeDue ?? '') : one.dueAt;
  const done = said.find((ack) => ack.status === 'done');
  if (done !== undefined) return isAfter(done.at, due) ? 'LATE' : null;
  const waited = final || isAfter(receipt.verdict.judgedAt, due);
  return waited && (said.length === 0 || nameOf(one) === FINALIZE) ? 'MISSING' : null;
}

/** Of a run that is over: each attempt has a result that says how it ended, or the verdict says that nobody knows. */
export function brokenEnds(
  attempts: readonly AttemptRecord[],
  results: readonly ResultRecord[],
  { verdict }: Receipt,
): Broken | null {
  const known = new Set(results.filter((one) => one.status !== 'unknown').map(recordKey));
  const told = new Set(verdict.findings.filter((one) => one.code === 'UNKNOWN_RESULT').map((one) => one.subject));
  const lost = attempts.find(
    (one) => !known.has(recordKey(one)) && !told.has(`step ${one.step} attempt ${one.attempt}`),
  );
  return lost === undefined
    ? null
    : { what: `attempt ${recordKey(lost)}`, detail: 'its result is not known, and the verdict does not say so' };
}
