/** The rows of a bundle against what its receipt states and its trace says. Part of verify.ts; pure. */
import { canonicalJson } from '../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../domain/digest.js';
import type { Json } from '../domain/json.js';
import { parseObject } from './contract.js';
import type { Bundle, ResultRecord } from './evidence.js';
import type { Facts, Receipt } from './receipt.js';
import { statusOf } from './verdict-status.js';

/** The first broken thing, by name. */
export type Broken = { readonly what: string; readonly detail: string };

export function brokenRows(bundle: Bundle, receipt: Receipt): Broken | null {
  return (
    unequal('amendments', bundle.amendments, receipt.amendments) ??
    unequal('acks', bundle.acks, receipt.acks) ??
    brokenVerdict(receipt) ??
    brokenAttempts(bundle) ??
    brokenResults(bundle) ??
    brokenStory(bundle) ??
    (receipt.facts === null ? null : brokenCounts(bundle, receipt.facts))
  );
}

function unequal(what: string, rows: readonly unknown[], stated: readonly unknown[]): Broken | null {
  const same = rows.length === stated.length && canonicalJson(rows as Json) === canonicalJson(stated as Json);
  return same ? null : { what, detail: 'they are not the ones of the receipt' };
}

function brokenVerdict({ verdict }: Receipt): Broken | null {
  const least = statusOf(verdict.findings);
  const fits = verdict.status === least || (verdict.status === 'STALE' && least === 'INCOMPLETE');
  return fits ? null : { what: 'verdict', detail: `${verdict.status} does not follow from its findings` };
}

const key = ({ step, attempt }: { readonly step: number; readonly attempt: number }): string => `${step}.${attempt}`;

function brokenAttempts({ decisions, attempts }: Bundle): Broken | null {
  const allowed = new Map(decisions.filter((one) => one.effect === 'allow').map((one) => [key(one), one.actionDigest]));
  const loose = attempts.find((one) => allowed.get(key(one)) !== one.actionDigest);
  return loose === undefined ? null : { what: `attempt ${key(loose)}`, detail: 'no decision allowed it' };
}

function brokenResults({ run, attempts, results }: Bundle): Broken | null {
  const known = new Set(attempts.map(key));
  for (const result of results) {
    if (!known.has(key(result))) return { what: `result ${key(result)}`, detail: 'there is no such attempt' };
    if (resultDigest(run, result) !== result.digest)
      return { what: `result ${key(result)}`, detail: 'its digest is not of its row' };
  }
  return null;
}

/** As execute.result_digest makes it: the columns in order, each after its length, nothing for NULL. */
function resultDigest(run: string, row: ResultRecord): string {
  const usage = row.usageReported === null ? null : String(row.usageReported);
  const parts = [
    run.replace(/^run_/, ''),
    String(row.step),
    String(row.attempt),
    row.status,
    row.contentDigest,
    row.inputTokens,
    row.outputTokens,
    row.cachedTokens,
    row.reasoningTokens,
    usage,
    row.code,
    row.retryAfterMs,
    row.cause,
    row.reportedModel,
    row.finishReason,
  ];
  return digest(DIGEST_TAGS.result, ...parts.map((part) => part ?? ''));
}

/** What the trace tells of a step must be what the rows say. */
function brokenStory({ trace, decisions, results }: Bundle): Broken | null {
  const decided = new Map(decisions.map((one) => [key(one), one]));
  const executed = new Map(results.map((one) => [key(one), one]));
  for (const { seq, bytes } of trace) {
    const event = parseObject(bytes);
    const found = /^(\d+\.\d+)\.(decided|executed)$/.exec(typeof event?.['id'] === 'string' ? event['id'] : '');
    if (event === null || found === null) continue;
    const body = event['body'] as Readonly<Record<string, unknown>>;
    const at = found[1] ?? '';
    const differs =
      found[2] === 'decided'
        ? body['effect'] !== decided.get(at)?.effect ||
          ('action' in body && body['action'] !== decided.get(at)?.actionDigest)
        : body['result'] !== '' && body['result'] !== executed.get(at)?.digest;
    if (differs)
      return { what: `${found[2] === 'decided' ? 'decision' : 'result'} ${at}`, detail: `event ${seq} says otherwise` };
  }
  return null;
}

function brokenCounts({ decisions, attempts, results }: Bundle, facts: Facts): Broken | null {
  // Of a run that was judged while it was still open there may be more by now.
  const final = facts.phase === 'COMPLETED' || facts.phase === 'FAILED';
  const effect = (name: string): number => decisions.filter((one) => one.effect === name).length;
  const unknowns = attempts.length - results.filter((one) => one.status !== 'unknown').length;
  const counts: readonly (readonly [string, number, number])[] = [
    ['decisions that allow', effect('allow'), facts.allow],
    ['decisions that deny', effect('deny'), facts.deny],
    ['decisions that pause', effect('pause'), facts.pause],
    ['attempts', attempts.length, facts.attempts],
    ...(final ? [['unknown results', unknowns, facts.unknowns] as const] : []),
  ];
  const off = counts.find(([, there, stated]) => (final ? there !== stated : there < stated));
  if (off !== undefined) return { what: off[0], detail: `the receipt states ${off[2]}, there are ${off[1]}` };
  const strange = decisions.find(
    (one) =>
      final && !(facts.policySets.includes(one.policySetDigest) && facts.priceTables.includes(one.priceTableDigest)),
  );
  return strange === undefined
    ? null
    : { what: `decision ${key(strange)}`, detail: "its policy set or prices are not the receipt's" };
}
