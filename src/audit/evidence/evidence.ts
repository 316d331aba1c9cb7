/**
 * The shape of a bundle: a receipt and the records that it covers, each as the exact text that was hashed. A verifier
 * hashes those texts and encodes nothing again. docs/formats.md specifies the same for other languages.
 */
import type { JSONWebKeySet } from 'jose';
import type { ChainEvent } from './trace-chain.js';

export type AckRecord = {
  readonly n: number;
  readonly domain: string;
  readonly action: string;
  readonly status: string;
  /** JSON text as PostgreSQL writes it. */
  readonly evidence: string;
  readonly by: string;
  readonly at: string;
};
export type AmendmentRecord = {
  readonly n: number;
  readonly step: number | null;
  readonly attempt: number | null;
  readonly hold: number | null;
  readonly reason: string;
  /** While the hold was open, as far as it was known; not in version 1. */
  readonly openFrom?: string;
  readonly openUntil?: string;
  readonly runDeadline: string;
  readonly finalizeDue: string;
  readonly at: string;
};
export type DecisionRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: string;
  readonly target: string;
  readonly access: string | null;
  readonly effect: string;
  readonly actionDigest: string;
  readonly requestDigest: string;
  readonly argumentsDigest: string;
  readonly contextDigest: string;
  readonly askedOutputTokens: number | null;
  readonly notAfter: string | null;
  readonly snapshotDigest: string;
  readonly policySetDigest: string;
  readonly priceTableDigest: string;
  /** JSON text as PostgreSQL writes it. */
  readonly reasons: string | null;
  readonly notices: string | null;
  /** Of a pause, what it asked for; not in version 1. */
  readonly holdReason?: string | null;
  readonly holdAuthority?: string | null;
  readonly holdQuorum?: string | null;
  readonly decidedAt: string;
};
export type AttemptRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly actionDigest: string;
  readonly nonce: string;
  readonly startedAt: string;
};
export type ResultRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly status: string;
  readonly contentDigest: string | null;
  /** Counts as decimal strings. */
  readonly inputTokens: string | null;
  readonly outputTokens: string | null;
  readonly cachedTokens: string | null;
  readonly reasoningTokens: string | null;
  readonly usageReported: boolean | null;
  readonly code: string | null;
  readonly retryAfterMs: string | null;
  readonly cause: string | null;
  readonly reportedModel: string | null;
  readonly finishReason: string | null;
  readonly digest: string;
  readonly finishedAt: string;
};
export type RunRecord = {
  readonly n: number;
  readonly tenant: string;
  readonly agent: string;
  readonly workflowId: string;
  readonly temporalRunId: string;
  readonly kind: string;
  readonly phase: string;
  readonly outcome: string | null;
  readonly profile: string;
  readonly answer: string | null;
  /** The id of the person. */
  readonly requester: string | null;
  readonly specDigest: string;
  readonly requestDigest: string | null;
  readonly agentDigest: string | null;
  readonly contractDigest: string;
  /** JSON texts as PostgreSQL writes them. */
  readonly limits: string;
  readonly counters: string;
  readonly runDeadline: string;
  readonly lastStep: string;
  readonly openedAt: string;
  readonly latchedAt: string | null;
  readonly endedAt: string | null;
  /** Of actor, labels and detail, under a salt; of an open run null. So in every record: what persons wrote or are named by. */
  readonly contentDigest: string | null;
};
/** The contract's columns, which the judge reads, beside its bytes, which the receipt names. */
export type ContractRow = {
  readonly n: number;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: string;
  readonly digest: string;
  readonly declaredAt: string;
  readonly declaredRunDeadline: string;
  readonly declaredFinalizeDue: string;
  readonly expiresAt: string;
  readonly runDeadline: string;
  readonly finalizeDue: string;
};
export type ExpectationRecord = {
  readonly n: number;
  readonly domain: string;
  readonly action: string;
  readonly condition: string;
  readonly due: string;
  readonly dueAt: string;
};
export type HoldRecord = {
  readonly n: number;
  readonly step: number;
  readonly attempt: number;
  readonly actionDigest: string | null;
  readonly reason: string;
  readonly authority: string;
  readonly quorum: number;
  readonly openedAt: string;
  readonly until: string;
  readonly onTimeout: string;
  readonly resolvedAt: string | null;
  readonly resolution: string | null;
  readonly contentDigest: string | null;
};
/** Numbered by time. A person is an id; name, assertion and reason are in `contentDigest`. */
export type ActRecord = {
  readonly n: number;
  readonly update: string;
  readonly verb: string;
  readonly person: string | null;
  readonly roles: readonly string[];
  readonly issuer: string;
  readonly tokenId: string | null;
  readonly hold: number | null;
  readonly actionDigest: string | null;
  readonly was: string | null;
  readonly carrier: string | null;
  readonly allowed: boolean;
  readonly at: string;
  readonly contentDigest: string | null;
};
/** An attempt that began under an approval. */
export type UseRecord = {
  readonly n: number;
  readonly hold: number;
  readonly step: number;
  readonly attempt: number;
  readonly at: string;
};
/** What an act `raise_budget` made of a cap, and the holds that waited for it. */
export type RaiseRecord = {
  readonly n: number;
  readonly update: string;
  readonly scope: string;
  readonly subject: string;
  readonly unit: string;
  readonly window: string;
  readonly from: string;
  readonly to: string;
  readonly actionDigest: string;
  readonly holds: readonly number[];
  readonly at: string;
};
export type EvaluationRecord = {
  readonly n: number;
  readonly step: number;
  readonly attempt: number;
  readonly outcome: string;
  readonly at: string;
};
export type IncidentRecord = {
  readonly n: number;
  readonly incident: string;
  readonly tenant: string;
  readonly agent: string;
  readonly fingerprint: string;
  readonly day: string;
  readonly outcome: string;
  readonly step: number;
  readonly at: string;
  readonly contentDigest: string | null;
};
export type RecordOf = {
  readonly amendments: AmendmentRecord;
  readonly acks: AckRecord;
  readonly decisions: DecisionRecord;
  readonly attempts: AttemptRecord;
  readonly results: ResultRecord;
  readonly contracts: ContractRow;
  readonly expectations: ExpectationRecord;
  readonly runs: RunRecord;
  readonly holds: HoldRecord;
  readonly acts: ActRecord;
  readonly uses: UseRecord;
  readonly raises: RaiseRecord;
  readonly evaluations: EvaluationRecord;
  readonly incidents: IncidentRecord;
};

/** The lists of a bundle in the order in which they are verified, and what one record of each is called. */
export const RECORD_KINDS = {
  amendments: 'amendment',
  acks: 'ack',
  decisions: 'decision',
  attempts: 'attempt',
  results: 'result',
  contracts: 'contract row',
  expectations: 'expectation row',
  runs: 'run row',
  holds: 'hold',
  acts: 'act',
  uses: 'use',
  raises: 'raise',
  evaluations: 'evaluation',
  incidents: 'incident',
} as const satisfies Record<keyof RecordOf, string>;
export type RecordKind = keyof RecordOf;
export const recordKinds = Object.keys(RECORD_KINDS) as readonly RecordKind[];

/** Of a receipt and its bundle. */
export type Version = 1 | 2;
/** The first version covered what was decided, executed and acknowledged, and nothing else. */
export const kindsOf = (version: Version): readonly RecordKind[] =>
  version === 1 ? recordKinds.slice(0, 5) : recordKinds;
/** What records of the first version do not have. */
export const LATER_MEMBERS: Partial<Record<RecordKind, readonly string[]>> = {
  amendments: ['openFrom', 'openUntil'],
  decisions: ['holdReason', 'holdAuthority', 'holdQuorum'],
};
/** Whatever the run does after the verdict, of these there are no more. */
export const isFixed = (kind: RecordKind): boolean =>
  kind === 'amendments' || kind === 'acks' || kind === 'contracts' || kind === 'expectations';

/** Names a record among its kind: `3` or, of what belongs to a step, `3.1`. */
export const recordKey = (
  record: { readonly n: number } | { readonly step: number | null; readonly attempt: number | null },
): string => ('n' in record ? String(record.n) : `${record.step}.${record.attempt}`);

export type Bundle = Readonly<Record<RecordKind, readonly string[]>> & {
  readonly version: Version;
  readonly run: string;
  /** Compact JWS. */
  readonly receipt: string;
  /** The contract's bytes as text; null for a stray. */
  readonly contract: string | null;
  readonly verdict: string;
  readonly trace: readonly ChainEvent[];
  /** Public keys for convenience: whom to trust is never read from here. */
  readonly keys: JSONWebKeySet;
};

/** As a file; one of version 1 has none of the later lists. */
export function bundleText(bundle: Bundle): string {
  const later = recordKinds.filter((kind) => !kindsOf(bundle.version).includes(kind));
  const members = Object.entries(bundle).filter(([name]) => !(later as readonly string[]).includes(name));
  return `${JSON.stringify(Object.fromEntries(members))}\n`;
}
