/** What a replayed run must have left behind, read from the database and held against the record. Changes nothing. */
import { collectBundle } from '../../src/audit/evidence/bundle.js';
import { bundleText } from '../../src/audit/evidence/evidence.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import type { RunResult } from '../../src/workflows/messages/messages.js';
import type { JSONWebKeySet } from 'jose';
import type { Recording } from './recording.js';
import type { Replay } from './replay.js';

type ModelCall = {
  readonly step: number;
  readonly state: string;
  readonly cost_usd: string;
  readonly spent_micros: string;
  readonly over_micros: string;
  readonly input_tokens: string;
  readonly bound_input: string | null;
};

/** Every difference, as a sentence; none: the run is as it was recorded. */
export async function problemsOf(
  admin: Sql,
  recording: Recording,
  replay: Replay,
  result: RunResult,
  receiptKeys: JSONWebKeySet,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const same = (what: string, found: unknown, wanted: unknown): void => {
    if (found !== wanted) problems.push(`${what} is ${String(found)}, expected ${String(wanted)}`);
  };
  same('outcome', result.outcome, 'succeeded');
  if (result.detail !== '') problems.push(`the run says: ${result.detail}`);
  same('phase', result.phase, 'COMPLETED');
  same('verdict', result.verdict, 'COMPLETE');
  same('attempts', result.attempts, recording.steps.length + replay.observed.size);
  same('calls told to the model as malformed', await malformed(admin, result.run), replay.malformed);
  const calls = await modelCalls(admin, result.run);
  same('redeemed model calls', calls.length, recording.api_calls);
  problems.push(...costProblems(calls, recording, result), ...boundProblems(calls, recording));
  const bundle = await collectBundle(admin, result.run);
  const verified = bundle === null ? null : await verifyBundle(bundleText(bundle), { jwks: receiptKeys });
  if (verified?.result !== 'verified') problems.push(`the receipt does not verify: ${JSON.stringify(verified)}`);
  return problems;
}

/** Exact costs against the recorded sum; the balance against each call's cost rounded up by itself. */
function costProblems(calls: readonly ModelCall[], recording: Recording, result: RunResult): readonly string[] {
  const problems: string[] = [];
  const recorded = recording.steps.map((call) => call.recorded_cost_usd);
  const off = calls.findIndex((call, at) => Math.abs(Number(call.cost_usd) - (recorded[at] ?? NaN)) > 1e-9);
  if (off !== -1) problems.push(`call ${off + 1} costs ${calls[off]?.cost_usd ?? ''}, recorded ${recorded[off] ?? ''}`);
  const cost = calls.reduce((sum, call) => sum + Number(call.cost_usd), 0);
  const total = recording.recorded_total_cost_usd;
  if (Math.abs(cost - total) > 1e-9 * calls.length) problems.push(`the run costs ${cost} USD, recorded ${total}`);
  const ceilings = calls.reduce((sum, call) => sum + ceilOfMicros(call.cost_usd), 0n);
  const spent = calls.reduce((sum, call) => sum + BigInt(call.spent_micros), 0n);
  if (spent !== ceilings) problems.push(`${spent} micro-USD are spent, expected ${ceilings}`);
  if (result.spentMicros !== `${ceilings}`) problems.push(`the run says ${result.spentMicros} micro-USD are spent`);
  return problems;
}

/** Decimal text of USD to whole micro-USD, rounded up, by its digits. */
export function ceilOfMicros(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.');
  const micros = BigInt(`${whole}${fraction.slice(0, 6).padEnd(6, '0')}`);
  return /[1-9]/.test(fraction.slice(6)) ? micros + 1n : micros;
}

function boundProblems(calls: readonly ModelCall[], recording: Recording): readonly string[] {
  return calls.flatMap((call, at) => {
    const recorded = recording.steps[at]?.usage.prompt_tokens ?? 0;
    const problems: string[] = [];
    if (call.state !== 'settled') problems.push(`call ${at + 1} is ${call.state}`);
    if (call.over_micros !== '0') problems.push(`call ${at + 1} is over its bound`);
    if (Number(call.input_tokens) !== recorded) problems.push(`call ${at + 1} reports ${call.input_tokens} tokens`);
    if (call.bound_input === null || Number(call.bound_input) < recorded)
      problems.push(
        `call ${at + 1} has ${recorded} prompt tokens, more than its bound of ${call.bound_input ?? 'none'}`,
      );
    return problems;
  });
}

/** In the order they were made. The input bound is what ROK's decider summed: the stored context's token count. */
const modelCalls = (admin: Sql, run: RunId): Promise<readonly ModelCall[]> =>
  admin.query<ModelCall>(
    `SELECT w.step, w.state, w.cost_usd::text, w.spent_micros::text, w.over_micros::text,
       r.input_tokens::text, c.token_count::text AS bound_input
     FROM decide.v_reservations w
     JOIN execute.attempts t USING (run_id, step, attempt)
     JOIN decide.decisions d USING (run_id, step, attempt)
     LEFT JOIN execute.results r USING (run_id, step, attempt)
     LEFT JOIN execute.contexts c ON c.run_id = d.run_id AND c.digest = d.context_digest
     WHERE w.run_id = $1 AND d.kind = 'model.call' ORDER BY w.step, w.attempt`,
    [uuidOf(run)],
  );

/** Stored once for each distinct text, so counted where conversations use them. */
async function malformed(admin: Sql, run: RunId): Promise<number> {
  const [row] = await admin.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM execute.contexts x, jsonb_array_elements(x.added) AS e (entry)
     JOIN execute.contents c ON c.digest = e.entry ->> 'content' AND c.kind = 'malformed'
     WHERE x.run_id = $1 AND c.run_id = $1`,
    [uuidOf(run)],
  );
  return row?.n ?? 0;
}
