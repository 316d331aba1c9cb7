/**
 * Stores conversations as chains: one row per step names its base and its additions. One statement loads a whole chain,
 * whatever its length, and every entry is hashed again.
 */
import { contextDigest, type ContextEntry, type ContextRef, type ContextRole } from '../../domain/context.js';
import { RokError } from '../../domain/errors.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import { loadedFrom, type ContentRow } from './content-store.js';

/** An entry with its text. */
export type LoadedEntry = {
  readonly role: ContextRole;
  readonly text: string;
  readonly callId?: string;
  readonly skill?: string;
};
type ChainRow = {
  readonly digest: Digest;
  readonly base: Digest | null;
  readonly added: readonly ContextEntry[];
  readonly opening: boolean;
  readonly salt: null;
};

/**
 * Stores the context under its digest, with counts over the whole chain, and returns the digest. Storing it again is a
 * no-op; a context that adds nothing is its base.
 * @throws RokError content_missing when the base or an added content is not stored
 */
export async function storeContext(sql: Sql, run: RunId, ref: ContextRef): Promise<Digest> {
  const digest = contextDigest(ref);
  if (ref.added.length === 0) return digest;
  const inserted = await sql.query(
    `INSERT INTO execute.contexts (run_id, digest, base, added, byte_count, token_count)
     SELECT $1, $2, $3, $4::jsonb, coalesce(b.byte_count, 0) + a.bytes, coalesce(b.token_count, 0) + a.tokens
     FROM (SELECT sum(c.byte_count) AS bytes, sum(c.token_count) AS tokens, count(c.digest) AS found
           FROM unnest($5::text[]) AS e (digest)
           LEFT JOIN execute.contents c ON c.run_id = $1 AND c.digest = e.digest) a
     LEFT JOIN execute.contexts b ON b.run_id = $1 AND b.digest = $3
     WHERE a.found = $6 AND ($3::text IS NULL OR b.digest IS NOT NULL)
     ON CONFLICT (run_id, digest) DO NOTHING RETURNING true AS inserted`,
    [
      uuidOf(run),
      digest,
      ref.base,
      JSON.stringify(ref.added),
      ref.added.map((entry) => entry.content),
      ref.added.length,
    ],
  );
  if (inserted.length > 0) return digest;
  const [stored] = await sql.query('SELECT FROM execute.contexts WHERE run_id = $1 AND digest = $2', [
    uuidOf(run),
    digest,
  ]);
  if (stored === undefined)
    throw new RokError(
      'content_missing',
      `the base or an entry of context \`${digest}\` of run \`${run}\` is not stored`,
    );
  return digest;
}

/** The run's salt, and the conversation that `ref` names, oldest entry first. @throws RokError content_missing or content_changed */
export async function loadConversation(
  sql: Sql,
  run: RunId,
  ref: ContextRef,
): Promise<{ readonly salt: Uint8Array; readonly entries: readonly LoadedEntry[] }> {
  const rows = await sql.query<ChainRow | ContentRow>(CONVERSATION, [
    uuidOf(run),
    ref.base,
    ref.added.map((entry) => entry.content),
  ]);
  const chain = ref.base === null ? [] : chainOf(run, ref.base, rows.filter(isChain));
  const entries = [...chain, ...ref.added];
  const { salt, contents } = loadedFrom(
    run,
    rows.filter(isContent),
    entries.map((entry) => entry.content),
  );
  return {
    salt,
    entries: entries.map(({ role, content, callId, skill }) => ({
      role,
      text: contents.get(content)?.text ?? '',
      ...(callId === undefined ? {} : { callId }),
      ...(skill === undefined ? {} : { skill }),
    })),
  };
}

/** The chain, oldest first, and every content that it or `$3` names; which those are the database finds out by itself. */
const CONVERSATION = `WITH RECURSIVE chain AS (
    SELECT digest, base, added, opening, 0 AS depth FROM execute.contexts WHERE run_id = $1 AND digest = $2
    UNION ALL
    SELECT c.digest, c.base, c.added, c.opening, chain.depth + 1
    FROM chain JOIN execute.contexts c ON c.run_id = $1 AND c.digest = chain.base
  ), wanted AS (
    SELECT e.entry ->> 'content' AS digest FROM chain, jsonb_array_elements(chain.added) AS e (entry)
    UNION SELECT unnest($3::text[]))
  SELECT digest, base, added, opening, depth, NULL AS salt, NULL AS kind, NULL AS bytes FROM chain
  UNION ALL
  SELECT c.digest, NULL, NULL, NULL, NULL, s.salt, c.kind, c.bytes
  FROM execute.salts s
  LEFT JOIN (wanted JOIN execute.contents c ON c.run_id = $1 AND c.digest = wanted.digest) ON true
  WHERE s.run_id = $1
  ORDER BY depth DESC`;

const isChain = (row: ChainRow | ContentRow): row is ChainRow => row.salt === null;
const isContent = (row: ChainRow | ContentRow): row is ContentRow => row.salt !== null;

function chainOf(run: RunId, head: Digest, rows: readonly ChainRow[]): readonly ContextEntry[] {
  let reached: Digest | null = null;
  for (const { digest, base, added, opening } of rows) {
    // An opening was held against its name when it was stored; its entries are hashed again like all others.
    if (base !== reached || (!opening && contextDigest({ base, added }) !== digest))
      throw new RokError('content_changed', `context \`${digest}\` of run \`${run}\` does not have its digest`);
    reached = digest;
  }
  if (reached !== head) throw new RokError('content_missing', `context \`${head}\` of run \`${run}\` is not stored`);
  return rows.flatMap((row) => row.added);
}
