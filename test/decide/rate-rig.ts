/** Rate limits and runs that meet them, through the real functions at a time that stands still. */
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../src/decide/actors/caller.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { StepAnswer, StepRequest } from '../../src/domain/protocol/decide.js';
import type { Profile } from '../../src/domain/profiles.js';
import { drift, standAt } from './ledger-rig.js';
import type { Limit } from './rate-model.js';
import { createStepRig, modelCall, skillCall } from './step-rig.js';

export type Run = { readonly run: RunId; readonly caller: Caller; readonly tenant: string };

export async function createRateRig() {
  const rig = await createStepRig({ limits: { usd: '1.00' } });
  const look = async (
    { run, caller }: Run,
    step: number,
    attempt = 1,
    request: StepRequest = skillCall(run, step, 'look', attempt),
  ) => shown(await rig.step(caller, request));
  return {
    ...rig,
    look,
    think: async (of: Run, step: number) => look(of, step, 1, await modelCall(rig, of.run, step)),
    async started(profile: Profile = 'STRICT', tenant = `t-${randomUUID()}`): Promise<Run> {
      const caller = { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() };
      const { opened } = await rig.open({ tenant }, caller);
      await rig.stack.admin.query('UPDATE decide.runs SET profile = $2 WHERE run_id = $1', [
        uuidOf(opened.run),
        profile,
      ]);
      return { run: opened.run, caller, tenant };
    },
    limited: ({ scope, subject, enforcement, calls, periodS, burst }: Limit) =>
      rig.stack.admin.query(
        `INSERT INTO decide.rate_limits (scope, subject, enforcement, calls, period_s, burst) VALUES ($1, $2, $3, $4, $5, $6)`,
        [scope, subject, enforcement, calls, periodS, burst],
      ),
    at: (time: string) => standAt(rig.stack.admin, `2026-11-24T${time}Z`),
    /** Of a tenant and its agents. */
    states: (subject: string) =>
      rig.decide.query<{ scope: string; enforcement: string; tat: string }>(
        `SELECT scope, enforcement, to_timestamp(tat_us / 1e6)::text AS tat FROM decide.rate_states
        WHERE subject LIKE $1 || '%' ORDER BY scope, enforcement`,
        [subject],
      ),
    /** No limits, the clock goes; what the ledger would drift by. */
    async cleared(): Promise<readonly object[]> {
      await rig.stack.admin.query('DELETE FROM decide.rate_limits');
      await standAt(rig.stack.admin, null);
      return drift(rig.decide);
    },
  };
}
export type RateRig = Awaited<ReturnType<typeof createRateRig>>;

/** Two calls a minute, one at a time. */
export const tenantLimit = (tenant: string, over: Partial<Limit> = {}): Limit => ({
  scope: 'tenant',
  subject: tenant,
  enforcement: 'soft',
  calls: 2,
  periodS: 60,
  burst: 1,
  ...over,
});

/** What a decision said, without digests. */
export function shown(answer: StepAnswer) {
  if (answer.kind !== 'decided') return answer.kind;
  const { ruling, notices } = answer;
  if (ruling.effect === 'allow') return notices.length === 0 ? 'allow' : ['allow', ...notices];
  const reasons = ruling.reasons.map(({ code, rule }) => `${code} ${rule}`);
  if (ruling.effect === 'pause') {
    const { reason, authority, onTimeout } = ruling.hold;
    return { pause: reasons, hold: { reason, authority, onTimeout } };
  }
  return {
    deny: reasons,
    final: ruling.final,
    ...(ruling.retryAfterMs === undefined ? {} : { retryAfterMs: ruling.retryAfterMs }),
  };
}
