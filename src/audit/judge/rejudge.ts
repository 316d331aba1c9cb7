/**
 * Judges a run again from its rows, with a login that may only read, and compares the result with the signed verdict.
 * It finds an auditor that signed a false verdict. Whether the rows are those of the receipt is verify.ts's question.
 */
import { canonicalJson } from '../../domain/canonical-json.js';
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { Json } from '../../domain/json.js';
import type { Sql } from '../../domain/sql.js';
import type { Finding, VerdictStatus } from '../../domain/verdict.js';
import { isOver, type Facts, type Receipt } from '../receipts/receipt.js';
import type { Broken } from '../verify/signature.js';

export type Rejudged = {
  readonly status: VerdictStatus | 'PENDING';
  readonly findings: readonly Finding[];
  readonly facts: Facts;
};

/** Null for a run without a contract. */
export async function rejudge(sql: Sql, run: RunId): Promise<Rejudged | null> {
  const [row] = await sql.query<Rejudged>('SELECT status, findings, facts FROM audit.rejudge($1)', [uuidOf(run)]);
  return row ?? null;
}

/** The first difference between what was signed and what the rows come to; null when there is none. */
export function differenceOf({ verdict, facts }: Receipt, ruled: Rejudged | null): Broken | null {
  if (ruled === null) return { what: 'verdict', detail: 'there is no contract that the rows could be judged by' };
  const signed = new Set(verdict.findings.map(nameOf));
  const come = new Set(ruled.findings.map(nameOf));
  const unnamed = ruled.findings.find((one) => !signed.has(nameOf(one)));
  if (unnamed !== undefined)
    return { what: wordsOf(unnamed), detail: 'the rows come to it, and the receipt does not name it' };
  // What blocked once, blocks: a later revision keeps what an earlier one found.
  const keeps = verdict.supersedes !== null;
  const unfounded = verdict.findings.find((one) => !come.has(nameOf(one)) && !(keeps && one.blocking));
  if (unfounded !== undefined)
    return { what: wordsOf(unfounded), detail: 'the receipt names it, and the rows do not come to it' };
  if (verdict.status !== ruled.status && !(keeps && ruled.status !== 'PENDING'))
    return { what: 'verdict', detail: `the receipt says ${verdict.status}, the rows come to ${ruled.status}` };
  return facts === null || !isOver(facts) ? null : otherFact(facts, ruled.facts);
}

function otherFact(signed: Facts, ruled: Facts): Broken | null {
  const told = signed as Readonly<Record<string, Json>>;
  const name = Object.keys(told).find(
    (one) => canonicalJson(told[one] ?? null) !== canonicalJson((ruled as Readonly<Record<string, Json>>)[one] ?? null),
  );
  return name === undefined
    ? null
    : {
        what: `facts.${name}`,
        detail: `the receipt states ${canonicalJson(told[name] ?? null)}, the rows come to ${canonicalJson((ruled as Readonly<Record<string, Json>>)[name] ?? null)}`,
      };
}

const nameOf = ({ code, blocking, subject, detail }: Finding): string =>
  canonicalJson([code, blocking, subject, detail]);
const wordsOf = ({ code, subject }: Finding): string => `finding ${code} ${subject}`;
