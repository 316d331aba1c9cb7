/**
 * PolicyChecker's rules spelled out again, by the tables of the documents and without a line of the checker's code: from a
 * scene, what the answer is and why. Naive on purpose.
 */
import type { Profile } from '../../src/domain/profiles.js';

/** Everything that can object, as plain facts. */
export type Scene = {
  readonly profile: Profile;
  readonly kind: 'run.start' | 'model.call' | 'skill.call' | 'run.outcome';
  readonly problem: boolean;
  readonly halted: boolean;
  readonly late: boolean;
  readonly overrun: boolean;
  readonly step: number;
  readonly steps: number;
  readonly modelCalls: number;
  readonly modelCallsAllowed: number;
  readonly skillCalls: number;
  readonly skillCallsAllowed: number | null;
  readonly listed: boolean;
  readonly contextKnown: boolean;
  readonly priced: boolean;
  /** Results of the last calls; all asked the same. */
  readonly results: readonly string[];
  readonly pairs: number;
  readonly rechecked: boolean;
  readonly standstill: 'rejected' | 'approved' | null;
  /** What the set does: each rule matches or not. */
  readonly permit: boolean;
  readonly forbid: boolean;
  readonly ask: boolean;
  readonly asked: 'approved' | 'rejected' | null;
  readonly shadow: boolean;
  readonly broken: boolean;
  readonly custom: 'quiet' | 'objects' | 'throws' | 'nonsense';
  readonly breach: 'deny' | 'pause' | null;
  /** Seconds until a soft limit admits it, and until a hard one does. */
  readonly softWait: number;
  readonly hardWait: number;
  /** How a hold for a rate of this action ended. */
  readonly rateHold: 'approved' | 'rejected' | null;
};

type Objection = {
  readonly says: 'deny' | 'pause';
  readonly code: string;
  readonly final: boolean;
  readonly always: boolean;
  readonly waits?: number;
};
export type Expected = {
  readonly effect: 'allow' | 'deny' | 'pause';
  readonly final: boolean | null;
  /** Milliseconds after which it is asked again. */
  readonly again: number | null;
  readonly codes: readonly string[];
  readonly would: readonly string[];
  readonly shadow: number;
  readonly errors: number;
};

export function expectedOf(scene: Scene): Expected {
  const all = objectionsOf(scene);
  const enforced = scene.profile !== 'OBSERVE_ONLY';
  const blocking = all.filter((one) => enforced || one.always);
  const denials = blocking.filter((one) => one.says === 'deny');
  return {
    effect: denials.length > 0 ? 'deny' : blocking.length > 0 ? 'pause' : 'allow',
    final: denials.length > 0 ? denials.some((one) => one.final) : null,
    again: denials.length > 0 && denials.every((one) => one.waits !== undefined) ? (denials[0]?.waits ?? 0) : null,
    codes: blocking.map((one) => one.code),
    would: all
      .filter((one) => !blocking.includes(one))
      .map((one) => (one.waits === undefined ? `would_${one.says}` : 'would_wait')),
    shadow: scene.shadow ? 1 : 0,
    errors: all.filter((one) => one.code === 'check_failed').length,
  };
}

function objectionsOf(s: Scene): readonly Objection[] {
  const list: Objection[] = [];
  const deny = (when: boolean, code: string, final: boolean, always = false): void => {
    if (when) list.push({ says: 'deny', code, final, always });
  };
  const pause = (when: boolean, code: string): void => {
    if (when) list.push({ says: 'pause', code, final: false, always: false });
  };
  const limited = s.kind !== 'run.outcome';
  const isCall = s.kind === 'model.call' || s.kind === 'skill.call';
  const tellable = s.kind === 'skill.call';
  // STANDARD asks again only halt, limits, Cedar and budgets of what it decided before.
  const whole = s.profile !== 'STANDARD' || !s.rechecked;
  deny(s.problem && s.kind === 'run.start', 'spec_invalid', true, true);
  deny(s.halted, 'halted', true, true);
  deny(limited && s.late, 'limit_wall_time', true);
  deny(limited && s.overrun, 'overrun', true);
  deny(limited && s.step > s.steps, 'limit_steps', true);
  deny(s.kind === 'model.call' && s.modelCalls >= s.modelCallsAllowed, 'limit_model_calls', true);
  const skillsUsed = s.skillCallsAllowed !== null && s.skillCalls >= s.skillCallsAllowed;
  deny(s.kind === 'skill.call' && skillsUsed, 'limit_skill_calls', false);
  deny(s.kind === 'skill.call' && !s.listed, 'policy_not_permitted', false);
  deny(s.kind === 'model.call' && !s.contextKnown, 'context_unknown', true, true);
  deny(s.kind === 'model.call' && !s.priced, 'no_price', true);
  deny(s.standstill === 'rejected', 'approval_rejected', true);
  const last = s.results.slice(0, s.pairs);
  pause(whole && isCall && last.length === s.pairs && last.every((one) => one === last[0]), 'no_progress');
  rates(s, list);
  deny(s.broken, 'check_failed', false);
  deny(!s.permit && !s.forbid, 'policy_not_permitted', !tellable);
  deny(s.forbid, 'policy_forbids', !tellable);
  deny(s.ask && s.asked === 'rejected', 'approval_rejected', false);
  pause(s.ask && s.asked === null, 'policy_requires_approval');
  deny(whole && s.custom === 'objects', 'policy_forbids', false);
  deny(whole && (s.custom === 'throws' || s.custom === 'nonsense'), 'check_failed', true);
  deny(s.breach === 'deny', 'budget_exceeded', s.kind === 'model.call');
  pause(s.breach === 'pause', 'budget_exceeded');
  return list;
}

/** Check 4. STANDARD is only told of a soft limit, and asks once of each action. */
function rates(s: Scene, list: Objection[]): void {
  const [warned, again] = [s.profile === 'STANDARD', s.profile === 'STANDARD' && s.rechecked];
  const plain = { final: false, always: false };
  if (again) return;
  const soft = s.softWait > 0 && s.rateHold !== 'approved' && !warned;
  const ends = s.kind === 'model.call';
  if (soft && s.rateHold === 'rejected')
    list.push({ says: 'deny', code: 'approval_rejected', final: ends, always: false });
  else if (soft)
    list.push(
      s.softWait < 60
        ? { says: 'deny', code: 'rate_limited', ...plain, waits: s.softWait * 1000 }
        : { says: 'pause', code: 'rate_limited', ...plain },
    );
  if (s.hardWait > 0) list.push({ says: 'deny', code: 'rate_limited', final: ends, always: false });
}
