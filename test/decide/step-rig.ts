/** A run opened and decided by the real functions, each act a transaction as login rok_decide. */
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../src/decide/actors/caller.js';
import type { DecideDeps } from '../../src/decide/deps.js';
import { identityOf } from '../../src/decide/lifecycle/open-identity.js';
import { openRun } from '../../src/decide/lifecycle/open.js';
import { readOpened } from '../../src/decide/lifecycle/opened.js';
import { decideStep } from '../../src/decide/step/step.js';
import { openStepBatches } from '../../src/decide/step/step-batches.js';
import { contextDigest, type ContextRef } from '../../src/domain/context.js';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import type { Opened, StepAnswer, StepRequest } from '../../src/domain/protocol/decide.js';
import type { Sql } from '../../src/domain/sql.js';
import { createLedgerRig, type LedgerRig } from './ledger-rig.js';
import { depsWith } from './step-deps.js';

export type StepRig = LedgerRig & {
  readonly deps: DecideDeps;
  as<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  open(spec?: object, caller?: Caller, by?: DecideDeps): Promise<{ readonly opened: Opened; readonly caller: Caller }>;
  step(caller: Caller, request: StepRequest): Promise<StepAnswer>;
};

/** @param agent fields of the agent's file, over those it has here */
export async function createStepRig(agent: object = {}): Promise<StepRig> {
  const rig = await createLedgerRig();
  const deps = depsWith(agent);
  const as = <T>(work: (sql: Sql) => Promise<T>): Promise<T> => rig.decide.transaction(work);
  const inBatch = openStepBatches(rig.decide, deps, console);
  return {
    ...rig,
    deps,
    as,
    async open(spec = {}, caller = { workflowId: `rok/acme/${randomUUID()}`, temporalRunId: randomUUID() }, by = deps) {
      const whole = { tenant: 'acme', agent: 'clerk', input: 'hello', actor: { local: 'alice' }, ...spec };
      const request = {
        spec: whole,
        specText: JSON.stringify(whole),
        identity: identityOf(whole, caller, null, 'governedRun'),
      };
      const opened = await as(async (sql) => readOpened(sql, await openRun(sql, by, caller, request), by.agents));
      return { opened, caller };
    },
    step: async (caller, request) =>
      (await inBatch({ caller, request })) ?? (await as((sql) => decideStep(sql, deps, caller, request))),
  };
}

const zero = '0'.repeat(64) as Digest;

/** A call whose conversation is stored and is of `tokens` tokens. */
export async function modelCall(
  { execute }: LedgerRig,
  run: RunId,
  step: number,
  ask: { readonly tokens?: number; readonly attempt?: number; readonly output?: number; readonly model?: string } = {},
): Promise<StepRequest> {
  const { tokens = 100, attempt = 1, output = 100, model = 'scripted/a' } = ask;
  const content = tokens.toString(16).padStart(64, 'c') as Digest;
  await execute.query(
    `INSERT INTO execute.contents (run_id, digest, kind, bytes, byte_count, token_count) VALUES ($1, $2, 'user', 'x', 1, $3)
    ON CONFLICT DO NOTHING`,
    [uuidOf(run), content, tokens],
  );
  const context: ContextRef = { base: null, added: [{ role: 'user', content }] };
  return {
    run,
    turn: step,
    context,
    intent: {
      step,
      attempt,
      kind: 'model.call',
      target: model,
      argumentsDigest: zero,
      contextDigest: contextDigest(context),
      askedOutputTokens: output,
    },
  };
}

export const skillCall = (run: RunId, step: number, skill: string, attempt = 1, turn = step): StepRequest => ({
  run,
  turn,
  intent: {
    step,
    attempt,
    kind: 'skill.call',
    target: `${skill}@1`,
    argumentsDigest: zero,
    contextDigest: zero,
    access: 'write',
  },
});

/** A model call that was allowed: redeemed, and answered with 100 tokens of input and so many of output. */
export async function executed(
  rig: LedgerRig,
  run: RunId,
  step: number,
  answer: StepAnswer,
  output: number,
): Promise<void> {
  if (answer.kind !== 'decided') throw new Error(answer.kind);
  const [redeemed] = await rig.execute.query<{ answer: string }>(
    'SELECT answer FROM decide.redeem($1, $2, 1, $3, $4)',
    [uuidOf(run), step, answer.actionDigest, randomUUID()],
  );
  if (redeemed?.answer !== 'ok') throw new Error(redeemed?.answer ?? 'no answer');
  await rig.execute.query(
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
      reasoning_tokens, usage_reported, digest)
    VALUES ($1::uuid, $2::int, 1, 'succeeded', $3::text, 100, $4::bigint, 0, 0, true,
      execute.result_digest($1::uuid, $2::int, 1, 'succeeded', $3::text, 100, $4::bigint, 0, 0, true, NULL, NULL, NULL, NULL, NULL))`,
    [uuidOf(run), step, 'd'.repeat(64), output],
  );
}
