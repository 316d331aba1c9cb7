/**
 * Writes the result of an attempt as a row. There is one per attempt: the first writer's row stays, and later writers
 * read it. The digest covers every column except times; the database computes it again and refuses a wrong one.
 */
import type { AttemptResult, Usage } from '../../domain/attempt.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import type { Classified } from './classify.js';
import { contentColumns, INSERT_CONTENTS, type Content } from '../content/content-store.js';

export type AttemptKey = { readonly run: RunId; readonly step: number; readonly attempt: number };
export type Succeeded = {
  readonly status: 'succeeded';
  readonly contentDigest: Digest;
  readonly usage: Usage;
  readonly reportedModel: string | null;
  readonly finishReason: string | null;
};
export type Ended = Succeeded | Classified;
/** Which row stands, and whether it is the one that was to be written. */
export type Standing = { readonly mine: boolean; readonly digest: Digest; readonly result: AttemptResult };

const MODEL_CHARS = 200;
const FINISH_CHARS = 64;
const CAUSE_CHARS = 200;

/** The columns in the order of the digest, but for the digest itself. */
export function resultColumns(
  { run, step, attempt }: AttemptKey,
  ended: Ended,
): readonly (string | number | boolean | null)[] {
  const usage = ended.status === 'succeeded' ? ended.usage : null;
  return [
    uuidOf(run),
    step,
    attempt,
    ended.status,
    ended.status === 'succeeded' ? ended.contentDigest : null,
    usage?.inputTokens ?? null,
    usage?.outputTokens ?? null,
    usage?.cachedInputTokens ?? null,
    usage?.reasoningTokens ?? null,
    usage?.reported ?? null,
    ended.status === 'failed' ? ended.code : null,
    ended.status === 'failed' ? (ended.retryAfterMs ?? null) : null,
    ended.status === 'unknown' ? cut(ended.cause, CAUSE_CHARS) : null,
    ended.status === 'succeeded' ? cut(ended.reportedModel, MODEL_CHARS) : null,
    ended.status === 'succeeded' ? cut(ended.finishReason, FINISH_CHARS) : null,
  ];
}

export const resultDigest = (columns: readonly (string | number | boolean | null)[]): Digest =>
  digest(DIGEST_TAGS.result, ...columns.map((column) => (column === null ? '' : String(column))));

/** Writes the row and the contents it names in one statement, or finds the row that stands already. */
export async function writeResult(
  sql: Sql,
  key: AttemptKey,
  ended: Ended,
  contents: readonly Content[],
): Promise<Standing> {
  const columns = resultColumns(key, ended);
  const mine = resultDigest(columns);
  const inserted = await sql.query(
    `WITH kept AS (${INSERT_CONTENTS})
     INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
       reasoning_tokens, usage_reported, code, retry_after_ms, cause, reported_model, finish_reason, digest)
     VALUES ($1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
     ON CONFLICT (run_id, step, attempt) DO NOTHING RETURNING true AS inserted`,
    [columns[0], ...contentColumns(contents), ...columns.slice(1), mine],
  );
  if (inserted.length > 0) return { mine: true, digest: mine, result: attemptResult(ended) };
  const [row] = await sql.query<{ digest: Digest; status: string; cause: string | null }>(
    'SELECT digest, status, cause FROM execute.results WHERE run_id = $1 AND step = $2 AND attempt = $3',
    [uuidOf(key.run), key.step, key.attempt],
  );
  if (row === undefined) throw new Error('a result row that was written is gone');
  return row.digest === mine
    ? { mine: true, digest: mine, result: attemptResult(ended) }
    : { mine: false, digest: row.digest, result: { status: 'unknown', cause: row.cause ?? 'another result stands' } };
}

function attemptResult(ended: Ended): AttemptResult {
  if (ended.status !== 'succeeded') return ended;
  return { status: 'succeeded', contentDigest: ended.contentDigest, usage: ended.usage };
}

/** What a provider says of itself is hostile text: cut, and without the NUL that a text column refuses. */
const cut = (text: string | null, chars: number): string | null =>
  text === null ? null : text.replaceAll('\0', '').slice(0, chars);
