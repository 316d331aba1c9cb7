/**
 * The exact shape of a bundle, a receipt and each record: which members, each of which kind. Written as data, so that
 * docs/formats.md and verifiers in other languages can state the same.
 */
import type { JSONWebKeySet } from 'jose';
import { isDigest, isRunId } from '../../domain/ids.js';
import { kindsOf, type Bundle, type RecordKind, type RecordOf, type Version } from '../evidence/evidence.js';
import type { Receipt } from '../receipts/receipt.js';

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
/** 0 to 2^53: JSON was read strictly before, so a number is an integer. */
const whole: Check = (value) => typeof value === 'number' && value >= 0;
const yesNo: Check = (value) => typeof value === 'boolean';
const digest: Check = (value) => typeof value === 'string' && isDigest(value);
const run: Check = (value) => typeof value === 'string' && isRunId(value);
const decimal: Check = (value) => typeof value === 'string' && /^(0|[1-9][0-9]{0,18})$/.test(value);
const one: Check = (value) => value === 1;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const object: Check = isObject;
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every((entry) => check(entry));
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value);
/** Of a million events each is asked: what can be read from the checks is read once. */
const members = (checks: Readonly<Record<string, Check>>): Check => {
  const entries = Object.entries(checks);
  return (value) => {
    if (!isObject(value) || Object.keys(value).length !== entries.length) return false;
    for (const [name, check] of entries) if (!Object.hasOwn(value, name) || !check(value[name])) return false;
    return true;
  };
};
const digestsBy =
  (key: RegExp): Check =>
  (value) =>
    isObject(value) && Object.entries(value).every(([name, entry]) => key.test(name) && digest(entry));

const STEPPED_KINDS: readonly RecordKind[] = ['decisions', 'attempts', 'results'];
const NUMBERED = /^[1-9][0-9]{0,9}$/;
const STEPPED = /^(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})$/;
/** By version: what a bundle has of each kind of record, and what a receipt states of it. */
const perKind = (version: Version, check: (kind: RecordKind) => Check): Readonly<Record<string, Check>> =>
  Object.fromEntries(kindsOf(version).map((kind) => [kind, check(kind)]));
const bundle = (version: Version): Check =>
  members({
    version: (value) => value === version,
    run,
    receipt: text,
    contract: orNull(text),
    verdict: text,
    ...perKind(version, () => list(text)),
    trace: list(members({ seq: whole, at: text, bytes: text, hash: text })),
    keys: members({ keys: list(object) }),
  });
const contract = members({
  digest,
  tenant: text,
  agent: text,
  profile: text,
  runDeadline: text,
  finalizeDue: text,
  expiresAt: text,
});
const finding = members({ code: text, blocking: yesNo, subject: text, detail: text });
const status = oneOf('COMPLETE', 'INCOMPLETE', 'STALE');
const facts = (version: Version): Check =>
  members({
    phase: orNull(text),
    outcome: orNull(text),
    traceLength: decimal,
    traceHash: orNull(digest),
    allow: whole,
    deny: whole,
    pause: whole,
    attempts: whole,
    unknowns: whole,
    spentMicros: text,
    spentTokens: text,
    policySets: list(text),
    priceTables: list(text),
    ...(version === 1 ? {} : { refusedCalls: whole }),
  });
const receipt = (version: Version): Check =>
  members({
    version: (value) => value === version,
    chain: text,
    n: decimal,
    prev: digest,
    run,
    contract: orNull(contract),
    verdict: members({ revision: whole, supersedes: orNull(whole), status, findings: list(finding), judgedAt: text }),
    facts: orNull(facts(version)),
    records: members({
      verdict: digest,
      ...perKind(version, (kind) => digestsBy(STEPPED_KINDS.includes(kind) ? STEPPED : NUMBERED)),
    }),
  });
const contractBytes = members({
  version: one,
  run,
  tenant: text,
  agent: text,
  profile: text,
  declaredAt: text,
  runDeadline: text,
  finalizeDue: text,
  expiresAt: text,
  expectations: list(members({ domain: text, action: text, condition: text, due: text, dueAt: text })),
});

const maybe = orNull(text);
const stepped = { step: whole, attempt: whole };
/** Of those that both versions have: the second has more members of some. */
const firstRecords = (version: Version) => ({
  amendments: members({
    ...(version === 1 ? {} : all(text, 'openFrom', 'openUntil')),
    n: whole,
    step: orNull(whole),
    attempt: orNull(whole),
    hold: orNull(whole),
    reason: text,
    runDeadline: text,
    finalizeDue: text,
    at: text,
  }),
  acks: members({ n: whole, domain: text, action: text, status: text, evidence: text, by: text, at: text }),
  decisions: members({
    ...stepped,
    ...all(text, 'kind', 'target', 'effect', 'actionDigest', 'requestDigest', 'argumentsDigest', 'contextDigest'),
    ...all(text, 'snapshotDigest', 'policySetDigest', 'priceTableDigest', 'decidedAt'),
    ...all(maybe, 'access', 'notAfter', 'reasons', 'notices'),
    ...(version === 1 ? {} : all(maybe, 'holdReason', 'holdAuthority', 'holdQuorum')),
    askedOutputTokens: orNull(whole),
  }),
  attempts: members({ ...stepped, ...all(text, 'actionDigest', 'nonce', 'startedAt') }),
  results: members({
    ...stepped,
    ...all(text, 'status', 'digest', 'finishedAt'),
    ...all(maybe, 'contentDigest', 'inputTokens', 'outputTokens', 'cachedTokens', 'reasoningTokens'),
    ...all(maybe, 'code', 'retryAfterMs', 'cause', 'reportedModel', 'finishReason'),
    usageReported: orNull(yesNo),
  }),
});
const laterRecords = {
  contracts: members({
    n: whole,
    ...all(text, 'tenant', 'agent', 'profile', 'digest', 'declaredAt', 'declaredRunDeadline', 'declaredFinalizeDue'),
    ...all(text, 'expiresAt', 'runDeadline', 'finalizeDue'),
  }),
  expectations: members({ n: whole, ...all(text, 'domain', 'action', 'condition', 'due', 'dueAt') }),
  runs: members({
    n: whole,
    ...all(text, 'tenant', 'agent', 'workflowId', 'temporalRunId', 'kind', 'phase', 'profile', 'specDigest'),
    ...all(text, 'contractDigest', 'limits', 'counters', 'runDeadline', 'lastStep', 'openedAt'),
    ...all(
      maybe,
      'outcome',
      'answer',
      'requester',
      'requestDigest',
      'agentDigest',
      'latchedAt',
      'endedAt',
      'contentDigest',
    ),
  }),
  holds: members({
    ...all(whole, 'n', 'quorum', 'step', 'attempt'),
    ...all(text, 'reason', 'authority', 'openedAt', 'until', 'onTimeout'),
    ...all(maybe, 'actionDigest', 'resolvedAt', 'resolution', 'contentDigest'),
  }),
  acts: members({
    n: whole,
    hold: orNull(whole),
    allowed: yesNo,
    roles: list(text),
    ...all(text, 'update', 'verb', 'issuer', 'at'),
    ...all(maybe, 'person', 'tokenId', 'actionDigest', 'was', 'carrier', 'contentDigest'),
  }),
  uses: members({ ...all(whole, 'n', 'hold', 'step', 'attempt'), at: text }),
  raises: members({
    n: whole,
    holds: list(whole),
    ...all(text, 'update', 'scope', 'subject', 'unit', 'window', 'from', 'to', 'actionDigest', 'at'),
  }),
  evaluations: members({ ...all(whole, 'n', 'step', 'attempt'), ...all(text, 'outcome', 'at') }),
  incidents: members({
    ...all(whole, 'n', 'step'),
    ...all(text, 'incident', 'tenant', 'agent', 'fingerprint', 'day', 'outcome', 'at'),
    contentDigest: maybe,
  }),
};

function all(check: Check, ...names: readonly string[]): Readonly<Record<string, Check>> {
  return Object.fromEntries(names.map((name) => [name, check]));
}

const bundles = { 1: bundle(1), 2: bundle(2) } as const;
const receipts = { 1: receipt(1), 2: receipt(2) } as const;
const recordsOf: Readonly<Record<Version, Readonly<Record<RecordKind, Check>>>> = {
  1: { ...firstRecords(1), ...laterRecords },
  2: { ...firstRecords(2), ...laterRecords },
};
/** What a value says that it is; whatever else it holds counts as the first. */
export const versionOf = (value: unknown): Version => (isObject(value) && value['version'] === 2 ? 2 : 1);
export const isBundle = (value: unknown): value is Bundle => bundles[versionOf(value)](value);
export const isReceipt = (value: unknown): value is Receipt => receipts[versionOf(value)](value);
export const isContract = (value: unknown): boolean => contractBytes(value);
export const isVerdict = members({ revision: whole, status, findings: list(finding), judgedAt: text });
export const isRecord = <K extends RecordKind>(kind: K, value: unknown, version: Version): value is RecordOf[K] =>
  recordsOf[version][kind](value);

/** The tenant's receipts in order, for whoever holds an outside head. */
export type ReceiptChain = {
  readonly version: 1;
  readonly chain: string;
  readonly receipts: readonly { readonly n: string; readonly hash: string; readonly jws: string }[];
  /** For convenience, as in a bundle. */
  readonly keys: JSONWebKeySet;
};
const chain = members({
  version: one,
  chain: text,
  receipts: list(members({ n: text, hash: text, jws: text })),
  keys: members({ keys: list(object) }),
});
export const isReceiptChain = (value: unknown): value is ReceiptChain => chain(value);

/** What the audit worker wrote outside the database: after receipt n of this chain, its hash. */
export type OutsideHead = { readonly at: string; readonly chain: string; readonly n: string; readonly hash: string };
const head = members({ at: text, chain: text, n: decimal, hash: digest });
export const isOutsideHead = (value: unknown): value is OutsideHead => head(value);
