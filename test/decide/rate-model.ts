/**
 * GCRA spelled out without an arrival time: every admitted call is kept, and a call comes too early if with it some stretch
 * of time that began at an admitted call would hold more than burst + rate × time. Naive on purpose.
 */
import type { RateEnforcement } from '../../src/decide/snapshot.js';

export type Scope = 'tenant' | 'agent' | 'model' | 'skill';
export type Limit = {
  readonly scope: Scope;
  readonly subject: string;
  readonly enforcement: RateEnforcement;
  readonly calls: number;
  readonly periodS: number;
  readonly burst: number;
};
export type Call = {
  readonly tenant: string;
  readonly kind: 'model.call' | 'skill.call';
  /** Model, or skill without its version. */
  readonly target: string;
  readonly atUs: number;
};
export type Verdict = { readonly admitted: boolean; readonly waits: Readonly<Record<string, number>> };

type Key = { readonly key: string; readonly limit: Limit };
/** When calls were admitted, and under which limit. */
export type Admitted = { readonly limit: Limit; readonly at: readonly number[] };

export function createRateModel(limits: readonly Limit[]) {
  const admitted = new Map<string, Admitted>();
  return {
    admitted: admitted as ReadonlyMap<string, Admitted>,
    /** `blocking`: of which enforcement a limit must conform. What conforms of an admitted call is counted. */
    ask(call: Call, blocking: readonly RateEnforcement[]): Verdict {
      const mine = keysOf(limits, call);
      const waits = new Map(mine.map(({ key, limit }) => [key, waitUs(limit, admitted.get(key)?.at ?? [], call.atUs)]));
      const ok = mine.every(({ key, limit }) => waits.get(key) === 0 || !blocking.includes(limit.enforcement));
      for (const { key, limit } of ok ? mine : [])
        if (waits.get(key) === 0) admitted.set(key, { limit, at: [...(admitted.get(key)?.at ?? []), call.atUs] });
      return { admitted: ok, waits: Object.fromEntries(waits) };
    },
  };
}

function keysOf(limits: readonly Limit[], { tenant, kind, target }: Call): readonly Key[] {
  const subjects: readonly (readonly [Scope, string])[] = [
    ['tenant', tenant],
    ['agent', `${tenant}/clerk`],
    [kind === 'model.call' ? 'model' : 'skill', target],
  ];
  return subjects.flatMap(([scope, subject]) =>
    (['soft', 'hard'] as const).flatMap((enforcement) => {
      const of = (named: string) =>
        limits.find((one) => one.scope === scope && one.subject === named && one.enforcement === enforcement);
      const limit = of(subject) ?? of('*');
      return limit === undefined ? [] : [{ key: `${scope} ${subject} ${enforcement}`, limit }];
    }),
  );
}

/** Time between two calls, in whole microseconds: never faster than said. */
const everyUs = ({ calls, periodS }: Limit): number => Math.ceil((periodS * 1_000_000) / calls);

/** Until no stretch that begins at an admitted call is too full. */
function waitUs(limit: Limit, admitted: readonly number[], atUs: number): number {
  const waits = admitted.map((from, index) => {
    const withThis = admitted.length - index + 1;
    return from + (withThis - limit.burst) * everyUs(limit) - atUs;
  });
  return Math.max(0, ...waits);
}

/** Calls of the fullest stretch above burst + rate × time; never above 0. Exact: times are whole microseconds. */
export function excess({ limit, at }: Admitted): number {
  let worst = -Infinity;
  for (let from = 0; from < at.length; from += 1)
    for (let to = from; to < at.length; to += 1) {
      const us = (at[to] ?? 0) - (at[from] ?? 0);
      worst = Math.max(worst, to - from + 1 - limit.burst - (us * limit.calls) / (limit.periodS * 1_000_000));
    }
  return worst;
}
