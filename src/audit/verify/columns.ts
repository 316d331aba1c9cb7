/**
 * Compares columns that occur in several places: the contract's with its bytes, the run's with the receipt's counts,
 * evaluation and incident with how the run ended. Part of verify.ts; pure. Version 2 only: earlier bundles do not hold
 * these columns.
 */
import { contractDigest, parseContract, type Contract } from '../evidence/contract.js';
import type { Bundle, ContractRow, RunRecord } from '../evidence/evidence.js';
import type { Records } from '../evidence/records.js';
import { isOver, type Receipt } from '../receipts/receipt.js';
import type { Broken } from './signature.js';

export function brokenColumns({ contract: text }: Bundle, records: Records, receipt: Receipt): Broken | null {
  const contract = text === null ? null : parseContract(text);
  if (text === null || contract === null || receipt.contract === null) return null;
  const digest = contractDigest(text);
  return (
    brokenContractRow(records.contracts, contract, receipt.contract, digest) ??
    brokenExpectations(records, contract) ??
    (receipt.facts !== null && isOver(receipt.facts)
      ? (brokenRun(records.runs, receipt, digest) ?? brokenEngines(records, receipt))
      : null)
  );
}

type Stated = NonNullable<Receipt['contract']>;

function brokenContractRow(
  rows: readonly ContractRow[],
  contract: Contract,
  stated: Stated,
  digest: string,
): Broken | null {
  const [row] = rows;
  const what = 'contract row 1';
  if (row === undefined) return { what, detail: 'it is not there' };
  const same =
    rows.length === 1 &&
    row.tenant === contract.tenant &&
    row.agent === contract.agent &&
    row.profile === contract.profile &&
    row.digest === digest &&
    row.declaredAt === contract.declaredAt &&
    row.declaredRunDeadline === contract.runDeadline &&
    row.declaredFinalizeDue === contract.finalizeDue &&
    row.expiresAt === contract.expiresAt &&
    row.runDeadline === stated.runDeadline &&
    row.finalizeDue === stated.finalizeDue;
  return same ? null : { what, detail: 'it says otherwise than the contract' };
}

function brokenExpectations({ expectations }: Records, contract: Contract): Broken | null {
  for (let n = 1; n <= Math.max(expectations.length, contract.expectations.length); n += 1) {
    const [row, declared] = [expectations[n - 1], contract.expectations[n - 1]];
    const same =
      row !== undefined &&
      declared !== undefined &&
      row.n === n &&
      row.domain === declared.domain &&
      row.action === declared.action &&
      row.condition === declared.condition &&
      row.due === declared.due &&
      row.dueAt === declared.dueAt;
    if (!same) return { what: `expectation row ${n}`, detail: 'it says otherwise than the contract' };
  }
  return null;
}

function brokenRun(rows: readonly RunRecord[], { contract, facts }: Receipt, digest: string): Broken | null {
  const [row] = rows;
  if (row === undefined) return { what: 'run row 1', detail: 'it is not there' };
  const same =
    rows.length === 1 &&
    row.tenant === contract?.tenant &&
    row.agent === contract.agent &&
    row.profile === contract.profile &&
    row.phase === facts?.phase &&
    row.outcome === facts.outcome &&
    row.contractDigest === digest;
  return same ? null : { what: 'run row 1', detail: 'it says otherwise than the receipt' };
}

/** What the verdict itself names is told truthfully. */
function brokenEngines({ acks, evaluations, incidents }: Records, { facts, verdict }: Receipt): Broken | null {
  const told = (code: string, subject: string): boolean =>
    verdict.findings.some((finding) => finding.code === code && finding.subject === subject);
  const outcome = facts?.outcome ?? null;
  const acked = acks.some(
    (ack) => ack.domain === 'policies' && ack.action === 'evaluate_policy' && ack.status === 'done',
  );
  const evaluated = evaluations.length === 1 && evaluations[0]?.outcome === outcome;
  if (acked && !evaluated && !told('HOLLOW', 'policies/evaluate_policy'))
    return { what: 'evaluation 1', detail: 'it is not there, or says otherwise than the run' };
  const fits = incidents.length === (outcome === 'succeeded' ? 0 : 1);
  return fits || told('MISMATCH', 'outcome')
    ? null
    : { what: 'incident 1', detail: `${incidents.length} are there, and the outcome is ${outcome ?? 'none'}` };
}
