/** A set's own tests, run through PolicyChecker as a run's steps are. Pure. */
import { NO_CONTEXT } from '../../domain/context.js';
import { DEFAULT_LIMITS } from '../../domain/limits.js';
import { iso } from '../../domain/ids.js';
import type { Intent } from '../../domain/intent.js';
import type { PolicySource, PolicyTest } from '../../domain/policy-source.js';
import { loadPolicies } from '../cedar/cedar-check.js';
import { skillName } from '../checks/limits.js';
import { createPolicyChecker, type Answer } from '../policy-checker.js';
import { NO_COUNTERS, nothingAsked, type Snapshot } from '../snapshot.js';

export type TestResult = {
  readonly file: string;
  readonly name: string;
  /** What was otherwise than expected; none where the test passed. */
  readonly problems: readonly string[];
};

/** @throws RokError `policy_invalid` when the set does not load */
export function runSetTests(source: PolicySource): readonly TestResult[] {
  const { files, ...extras } = source;
  const policies = loadPolicies(files, extras);
  const checker = createPolicyChecker(policies, []);
  try {
    return Object.entries(source.tests).flatMap(([file, tests]) =>
      tests.map((test) => {
        const { answer } = checker.check(intentOf(test), snapshotOf(test, policies.files));
        return { file, name: test.name, problems: differences(test, answer) };
      }),
    );
  } finally {
    policies.release();
  }
}

function differences({ expect, determining, shadow }: PolicyTest, answer: Answer): readonly string[] {
  const { ruling } = answer;
  const why =
    ruling.effect === 'allow' ? '' : `: ${ruling.reasons.map((reason) => `${reason.rule}: ${reason.text}`).join('; ')}`;
  const shadows = answer.notices.filter((notice) => notice.code === 'shadow').map((notice) => notice.rule);
  const differs = (wanted: readonly string[] | undefined, got: readonly string[], what: string): readonly string[] =>
    wanted === undefined || [...wanted].sort().join() === [...got].sort().join()
      ? []
      : [`${what} ${[...got].sort().join(', ') || 'nothing'}, expected ${[...wanted].sort().join(', ') || 'nothing'}`];
  return [
    ...(ruling.effect === expect ? [] : [`it is ${ruling.effect}, expected ${expect}${why}`]),
    ...differs(determining, answer.determining, 'determined by'),
    ...differs(shadow, shadows, 'shadows were'),
  ];
}

function intentOf({ request }: PolicyTest): Intent {
  const { kind, target, access, step = 1, attempt = 1 } = request;
  return {
    step,
    attempt,
    kind,
    target,
    argumentsDigest: NO_CONTEXT,
    contextDigest: NO_CONTEXT,
    ...(access === undefined ? {} : { access }),
  };
}

const NOON = '2026-01-01T12:00:00Z';

function snapshotOf({ request }: PolicyTest, files: readonly string[]): Snapshot {
  const nowMs = Date.parse(iso(request.time ?? NOON));
  const { tenant = 'tenant', agent = 'agent', actor, counters } = request;
  const { steps, modelCalls, skillCalls, succeeded, lastSuccess, denials } = counters ?? {};
  return {
    ...nothingAsked(DEFAULT_LIMITS),
    nowMs,
    run: {
      tenant,
      agent,
      profile: request.profile ?? 'STRICT',
      openedMs: nowMs,
      deadlineMs: nowMs + DEFAULT_LIMITS.wallTimeMs,
      outcome: request.outcome ?? null,
      labels: request.labels ?? {},
      actor: { name: actor?.name ?? 'actor', roles: actor?.roles ?? [] },
    },
    agent: {
      digest: NO_CONTEXT,
      skills: request.kind === 'skill.call' ? [skillName(request.target)] : [],
      policies: request.policies ?? files,
      downgrade: null,
    },
    limits: { ...DEFAULT_LIMITS, steps: Math.max(DEFAULT_LIMITS.steps, request.step ?? 0) },
    counters: {
      steps: steps ?? NO_COUNTERS.steps,
      modelCalls: modelCalls ?? NO_COUNTERS.modelCalls,
      skillCalls: skillCalls ?? {},
      succeeded: succeeded ?? {},
      lastSuccess: lastSuccess ?? {},
      denials: denials ?? 0,
    },
    halted: false,
    problems: [],
    approvals: [...(request.approvals ?? [])].sort(),
    arguments: request.arguments ?? null,
    inputTokens: 1,
    priced: true,
    budget: {
      spentMicros: String(request.spentMicros ?? 0),
      capMicros: String(request.capMicros ?? DEFAULT_LIMITS.usdMicros),
    },
  };
}
