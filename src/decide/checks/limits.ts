/**
 * Check 2: the run's own limits. Reaching a limit ends the run, except a skill's limit, which is reported to the model.
 */
import type { Intent } from '../../domain/intent.js';
import { countOf } from '../../domain/limits.js';
import type { Snapshot } from '../snapshot.js';
import { deny, type CheckResult, type Objection } from './check.js';

export function checkLimits(intent: Intent, snapshot: Snapshot): CheckResult {
  const { limits, counters } = snapshot;
  const objections: Objection[] = [];
  if (intent.kind === 'run.outcome' || intent.kind === 'run.repair') return { objections };
  if (snapshot.nowMs >= snapshot.run.deadlineMs)
    objections.push(deny('limit_wall_time', 'limits.wallTimeMs', 'the run is past its deadline', true));
  if (snapshot.overrun)
    objections.push(deny('overrun', 'limits.overrun', 'a provider took more than it was granted', true));
  if (intent.step > limits.steps)
    objections.push(
      deny('limit_steps', 'limits.steps', `step ${intent.step} is beyond the limit of ${limits.steps}`, true),
    );
  if (intent.kind === 'model.call' && counters.modelCalls >= limits.modelCalls)
    objections.push(
      deny('limit_model_calls', 'limits.modelCalls', `all ${limits.modelCalls} model calls are used`, true),
    );
  if (intent.kind === 'skill.call') {
    const skill = skillName(intent.target);
    const allowed = countOf(limits.skillCalls, skill);
    if (allowed !== undefined && (countOf(counters.skillCalls, skill) ?? 0) >= allowed)
      objections.push(
        deny('limit_skill_calls', `limits.skillCalls.${skill}`, `all ${allowed} calls of \`${skill}\` are used`, false),
      );
    if (snapshot.agent !== null && !snapshot.agent.skills.includes(skill))
      objections.push(deny('policy_not_permitted', 'agent.skills', noSuchSkill(skill, snapshot.agent.skills), false));
  }
  return { objections };
}

/** Told to a model, which may have meant another; the names of skills are bounded, its own is not. */
const noSuchSkill = (skill: string, skills: readonly string[]): string =>
  `the agent has no skill \`${skill.slice(0, 128)}\`; it has: ${skills.join(', ')}`;

/** `orders.refund@1` → `orders.refund`. */
export const skillName = (target: string): string => target.split('@')[0] ?? target;
