/**
 * Compares the records of a bundle with each other: the verdict follows from its findings, each attempt was allowed,
 * each result belongs to its row, the trace agrees, the counts are right. Part of verify.ts; pure.
 */
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { recordKey, type Bundle, type DecisionRecord, type ResultRecord } from '../evidence/evidence.js';
import type { Records } from '../evidence/records.js';
import type { Facts, Receipt } from '../receipts/receipt.js';
import { namesAt } from '../evidence/trace-chain.js';
import { parseStrictObject } from './json.js';
import { isFinal } from './records.js';
import { brokenEnds, brokenPromises } from './promises.js';
import type { Broken } from './signature.js';
import { statusOf } from '../judge/verdict-status.js';

export function brokenRows(bundle: Bundle, records: Records, receipt: Receipt): Broken | null {
  const verdict = brokenVerdict(receipt);
  if (verdict !== null || receipt.facts === null) return verdict;
  return (
    brokenAttempts(records, receipt) ??
    brokenResults(bundle.run, records) ??
    brokenStory(bundle, records, receipt) ??
    brokenCounts(records, receipt.facts, isFinal(receipt)) ??
    (bundle.contract === null ? null : brokenPromises(bundle.contract, records.acks, receipt)) ??
    (isFinal(receipt) ? brokenEnds(records.attempts, records.results, receipt) : null)
  );
}

function brokenVerdict({ verdict, facts }: Receipt): Broken | null {
  const least = statusOf(verdict.findings);
  const fits = verdict.status === least || (verdict.status === 'STALE' && least === 'INCOMPLETE');
  if (!fits) return { what: 'verdict', detail: 'it does not follow from its findings' };
  return verdict.status !== 'COMPLETE' || facts !== null
    ? null
    : { what: 'verdict', detail: 'it is COMPLETE, and states no facts' };
}

/** What the verdict itself names as unwarranted is told truthfully. */
function brokenAttempts({ decisions, attempts }: Records, { verdict }: Receipt): Broken | null {
  const allowed = new Map(
    decisions.filter((one) => one.effect === 'allow').map((one) => [recordKey(one), one.actionDigest]),
  );
  const told = new Set(verdict.findings.filter((one) => one.code === 'UNWARRANTED').map((one) => one.subject));
  const loose = attempts.find(
    (one) => allowed.get(recordKey(one)) !== one.actionDigest && !told.has(`step ${one.step} attempt ${one.attempt}`),
  );
  return loose === undefined ? null : { what: `attempt ${recordKey(loose)}`, detail: 'no decision allowed it' };
}

function brokenResults(run: string, { attempts, results }: Records): Broken | null {
  const known = new Set(attempts.map(recordKey));
  for (const result of results) {
    const what = `result ${recordKey(result)}`;
    if (!known.has(recordKey(result))) return { what, detail: 'there is no such attempt' };
    if (resultDigest(run, result) !== result.digest) return { what, detail: 'its digest is not of its row' };
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

/** The end of the bytes of an event that tells of a step: its id is `3.1.decided` or `3.1.executed`. */
const STORY = /,"id":"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(decided|executed)","kind":"[a-z]+\.[a-z_]+"\}$/y;

/** What the trace tells of a step must be what the records say, unless the verdict itself names the event as hollow. */
export function brokenStory(
  { trace }: Pick<Bundle, 'trace'>,
  { decisions, results }: Pick<Records, 'decisions' | 'results'>,
  { verdict }: Pick<Receipt, 'verdict'>,
): Broken | null {
  const hollow = new Set(verdict.findings.filter((one) => one.code === 'HOLLOW').map((one) => one.subject));
  const decided = new Map(decisions.map((one) => [recordKey(one), one]));
  const executed = new Map(results.map((one) => [recordKey(one), one]));
  for (const { seq, bytes } of trace) {
    STORY.lastIndex = namesAt(bytes);
    const found = STORY.exec(bytes);
    if (found === null) continue;
    const body = parseStrictObject(bytes)?.['body'];
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      return { what: `trace event ${seq}`, detail: `event ${seq} does not say what it is` };
    const told = body as Told;
    const key = `${found[1] ?? ''}.${found[2] ?? ''}`;
    const differs =
      found[3] === 'decided' ? !tellsDecision(told, decided.get(key)) : !tellsResult(told, executed.get(key));
    if (differs && !hollow.has(`event ${key}.${found[3] ?? ''}`))
      return {
        what: `${found[3] === 'decided' ? 'decision' : 'result'} ${key}`,
        detail: `event ${seq} says otherwise`,
      };
  }
  return null;
}

type Told = Readonly<Record<string, unknown>>;

const tellsDecision = (told: Told, row: DecisionRecord | undefined): boolean =>
  row !== undefined &&
  told['effect'] === row.effect &&
  (!Object.hasOwn(told, 'action') || told['action'] === row.actionDigest);

const tellsResult = ({ result }: Told, row: ResultRecord | undefined): boolean =>
  result === '' || (row !== undefined && result === row.digest);

function brokenCounts({ decisions, attempts, results }: Records, facts: Facts, final: boolean): Broken | null {
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
    : { what: `decision ${recordKey(strange)}`, detail: "its policy set or prices are not the receipt's" };
}
