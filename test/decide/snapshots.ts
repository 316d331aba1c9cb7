/** Builders: a snapshot in which nothing objects, and intents of each kind. */
import type { Digest } from '../../src/domain/ids.js';
import type { Intent } from '../../src/domain/intent.js';
import { DEFAULT_LIMITS } from '../../src/domain/limits.js';
import type { Snapshot } from '../../src/decide/snapshot.js';
import { NO_COUNTERS } from '../../src/decide/snapshot.js';

const zero = '0'.repeat(64) as Digest;
export const nowMs = Date.parse('2026-11-23T12:00:00Z');

export const modelCall: Intent = {
  step: 1,
  attempt: 1,
  kind: 'model.call',
  target: 'scripted/a',
  argumentsDigest: zero,
  contextDigest: zero,
  askedOutputTokens: 100,
};
export const skillCall: Intent = {
  step: 2,
  attempt: 1,
  kind: 'skill.call',
  target: 'orders.refund@1',
  argumentsDigest: zero,
  contextDigest: zero,
  access: 'write',
};
export const runStart: Intent = { ...skillCall, step: 0, kind: 'run.start', target: 'clerk' };
export const runOutcome: Intent = { ...skillCall, step: 3, kind: 'run.outcome', target: 'succeeded' };

type Changes = Partial<Omit<Snapshot, 'run' | 'limits' | 'counters'>> & {
  readonly run?: Partial<Snapshot['run']>;
  readonly limits?: Partial<Snapshot['limits']>;
  readonly counters?: Partial<Snapshot['counters']>;
};

export const snapshotWith = ({ run, limits, counters, ...rest }: Changes = {}): Snapshot => ({
  nowMs,
  run: {
    tenant: 'acme',
    agent: 'clerk',
    profile: 'STANDARD',
    openedMs: nowMs - 1000,
    deadlineMs: nowMs + 3_600_000,
    outcome: null,
    labels: {},
    actor: { name: 'local:alice', roles: [] },
    ...run,
  },
  agent: { digest: zero, skills: ['orders.refund'], policies: ['default'], downgrade: null },
  limits: { ...DEFAULT_LIMITS, ...limits },
  counters: { ...NO_COUNTERS, ...counters },
  halted: false,
  overrun: false,
  pastHolds: [],
  approvals: [],
  recent: [],
  rechecked: false,
  rates: null,
  argumentsStored: false,
  arguments: { amount_cents: 100, reason: 'broken' },
  inputTokens: 10,
  priced: true,
  budget: { spentMicros: '0', capMicros: '1000000' },
  problems: [],
  ledger: null,
  ...rest,
});
