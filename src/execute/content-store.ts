/**
 * Prompts, answers, arguments and results by digest. The digest is an HMAC under the run's own salt, so that a short text
 * cannot be guessed from it, and covers the kind, so that the same bytes as a result and as arguments are two contents.
 * Deliberately not evidence: content may be deleted, digests stay.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { RokError } from '../domain/errors.js';
import { uuidOf, type Digest, type RunId } from '../domain/ids.js';
import type { Sql } from '../domain/sql.js';

export const CONTENT_KINDS = [
  'tools',
  'system',
  'user',
  'assistant',
  'arguments',
  'output',
  'told',
  'malformed',
] as const;
export type ContentKind = (typeof CONTENT_KINDS)[number];
/** Named by its digest, not necessarily stored yet. */
export type Content = { readonly kind: ContentKind; readonly bytes: Buffer; readonly digest: Digest };
export type LoadedContent = { readonly kind: ContentKind; readonly text: string };

const TAG = 'rok.content.v1';
const SALT_BYTES = 32;

export function contentOf(salt: Uint8Array, kind: ContentKind, text: string): Content {
  const bytes = Buffer.from(text, 'utf8');
  return { kind, bytes, digest: contentDigest(salt, kind, bytes) };
}

/** HMAC-SHA-256 under the salt over tag, kind and bytes; neither tag nor kind holds the NUL that ends it. */
export const contentDigest = (salt: Uint8Array, kind: ContentKind, bytes: Uint8Array): Digest =>
  createHmac('sha256', salt).update(`${TAG}\0${kind}\0`).update(bytes).digest('hex') as Digest;

/** No tokenizer makes more tokens than there are bytes; a closer bound may replace this one. */
export const tokenUpperBound = (byteCount: number): number => byteCount;

/** The run's salt, made by whoever asks first. */
export async function makeSalt(sql: Sql, run: RunId): Promise<Uint8Array> {
  const made = randomBytes(SALT_BYTES);
  await sql.query(`INSERT INTO execute.salts (run_id, salt) VALUES ($1, $2) ON CONFLICT (run_id) DO NOTHING`, [
    uuidOf(run),
    made,
  ]);
  return loadSalt(sql, run);
}

/** @throws RokError content_missing when the run was never prepared or its content was deleted */
export async function loadSalt(sql: Sql, run: RunId): Promise<Uint8Array> {
  const [row] = await sql.query<{ salt: Buffer }>('SELECT salt FROM execute.salts WHERE run_id = $1', [uuidOf(run)]);
  if (row === undefined) throw new RokError('content_missing', `run \`${run}\` has no salt`);
  return row.salt;
}

/** Stores what is not there yet, in one statement. */
export async function putContents(sql: Sql, run: RunId, contents: readonly Content[]): Promise<void> {
  if (contents.length === 0) return;
  await sql.query(
    `INSERT INTO execute.contents (run_id, digest, kind, bytes, byte_count, token_count)
     SELECT $1, c.digest, c.kind, c.bytes, octet_length(c.bytes), c.token_count
     FROM unnest($2::text[], $3::text[], $4::bytea[], $5::integer[]) AS c (digest, kind, bytes, token_count)
     ON CONFLICT (run_id, digest) DO NOTHING`,
    [
      uuidOf(run),
      contents.map((content) => content.digest),
      contents.map((content) => content.kind),
      contents.map((content) => content.bytes),
      contents.map((content) => tokenUpperBound(content.bytes.length)),
    ],
  );
}

/**
 * Every content asked for, each hashed again.
 * @throws RokError content_missing or content_changed
 */
export async function loadContents(
  sql: Sql,
  run: RunId,
  salt: Uint8Array,
  digests: readonly Digest[],
): Promise<ReadonlyMap<Digest, LoadedContent>> {
  const rows = await sql.query<{ digest: Digest; kind: ContentKind; bytes: Buffer }>(
    'SELECT digest, kind, bytes FROM execute.contents WHERE run_id = $1 AND digest = ANY ($2::text[])',
    [uuidOf(run), [...new Set(digests)]],
  );
  const loaded = new Map<Digest, LoadedContent>();
  for (const { digest, kind, bytes } of rows) {
    if (contentDigest(salt, kind, bytes) !== digest)
      throw new RokError('content_changed', `content \`${digest}\` of run \`${run}\` does not have its digest`);
    loaded.set(digest, { kind, text: bytes.toString('utf8') });
  }
  const missing = digests.find((digest) => !loaded.has(digest));
  if (missing !== undefined)
    throw new RokError('content_missing', `content \`${missing}\` of run \`${run}\` is not stored`);
  return loaded;
}
