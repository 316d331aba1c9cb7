/**
 * A step of a user's own workflow: one small activity redeems the warrant before the user's activity runs, another
 * writes the result after it. Weaker than a call through warrant.ts, as the docs say: between the two the user's code
 * runs, so a worker of theirs that wakes up late is not stopped here, only found (its result is refused).
 */
import { actionDigest, type Intent } from '../../domain/intent.js';
import { NO_USAGE } from '../../domain/attempt.js';
import { settingsDigest } from '../../domain/digest.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import type { Json } from '../../domain/json.js';
import type { Sql } from '../../domain/sql.js';
import type { BeginInput, Begun, RecordInput, StepResult } from '../../domain/protocol/execute.js';
import { contentOf, makeSalt } from '../content/content-store.js';
import { cutText } from '../content/cut-text.js';
import type { ExecuteDeps } from '../deps.js';
import { writeResult, type AttemptKey, type Ended, type Standing } from './result-row.js';

const OUTPUT_BYTES = 1_000_000;

/** Redeems by the caller's nonce, so it may be repeated; anything but `ok` means that nothing may be called. */
export async function begin({ redeem }: ExecuteDeps, input: BeginInput): Promise<Begun> {
  const intent: Intent = {
    ...input.intent,
    argumentsDigest: settingsDigest(input.arguments, input.argumentsSalt),
  };
  const { run, nonce } = input;
  const { step, attempt } = intent;
  const said = await redeem({ run, step, attempt, actionDigest: actionDigest(intent), nonce });
  return { redeemed: said?.answer === 'ok', refusal: said?.answer ?? 'no answer' };
}

/** Writes how it ended; whoever wrote first stands. */
export async function record(
  { database }: ExecuteDeps,
  { run, step, attempt, ended }: RecordInput,
): Promise<StepResult> {
  const key = { run, step, attempt };
  const standing =
    ended.status === 'unknown'
      ? await writeResult(database, key, ended, [])
      : await recordOutput(database, key, ended.output);
  return { result: standing.result, resultDigest: standing.digest };
}

async function recordOutput(sql: Sql, key: AttemptKey, output: Json): Promise<Standing> {
  const content = contentOf(await makeSalt(sql, key.run), 'output', cutText(canonicalJson(output), OUTPUT_BYTES));
  const done: Ended = {
    status: 'succeeded',
    contentDigest: content.digest,
    usage: NO_USAGE,
    reportedModel: null,
    finishReason: null,
  };
  return writeResult(sql, key, done, [content]);
}
