/**
 * Stores prompts, answers, arguments and results by digest. The digest is an HMAC under the run's own salt, so that a
 * short text cannot be guessed from it, and covers the kind, so that the same bytes as result and as arguments have two
 * digests. Content is not evidence: it may be deleted, digests stay.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { RokError } from '../../domain/errors.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import { tokenUpperBound } from '../../domain/tokens.js';

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

/** The run's salt, made by whoever asks first. */
export async function makeSalt(sql: Sql, run: RunId): Promise<Uint8Array> {
  const [row] = await sql.query<{ salt: Buffer }>(
    `WITH made AS (INSERT INTO execute.salts (run_id, salt) VALUES ($1, $2) ON CONFLICT (run_id) DO NOTHING RETURNING salt)
     SELECT salt FROM made UNION ALL SELECT salt FROM execute.salts WHERE run_id = $1`,
    [uuidOf(run), randomBytes(SALT_BYTES)],
  );
  // Made by another at the same time: it is there, but this statement began before it was.
  if (row !== undefined) return row.salt;
  return loadSalt(sql, run);
}

/** @throws RokError content_missing when the run was never prepared or its content was deleted */
export async function loadSalt(sql: Sql, run: RunId): Promise<Uint8Array> {
  const [row] = await sql.query<{ salt: Buffer }>('SELECT salt FROM execute.salts WHERE run_id = $1', [uuidOf(run)]);
  if (row === undefined) throw new RokError('content_missing', `run \`${run}\` has no salt`);
  return row.salt;
}

/** Stores what is not there yet, as a part of a statement: `$1` is the run, `$2` to `$5` are `contentColumns`. */
export const INSERT_CONTENTS = `INSERT INTO execute.contents (run_id, digest, kind, bytes, byte_count, token_count)
  SELECT $1, c.digest, c.kind, c.bytes, octet_length(c.bytes), c.token_count
  FROM unnest($2::text[], $3::text[], $4::bytea[], $5::integer[]) AS c (digest, kind, bytes, token_count)
  ON CONFLICT (run_id, digest) DO NOTHING`;

export const contentColumns = (contents: readonly Content[]): readonly (readonly unknown[])[] => [
  contents.map((content) => content.digest),
  contents.map((content) => content.kind),
  contents.map((content) => content.bytes),
  contents.map((content) => tokenUpperBound(content.bytes.length)),
];

export async function putContents(sql: Sql, run: RunId, contents: readonly Content[]): Promise<void> {
  if (contents.length > 0) await sql.query(INSERT_CONTENTS, [uuidOf(run), ...contentColumns(contents)]);
}

/** The run's salt, and the contents asked for. */
export type Loaded = { readonly salt: Uint8Array; readonly contents: ReadonlyMap<Digest, LoadedContent> };
export type ContentRow = {
  readonly salt: Buffer;
  readonly digest: Digest | null;
  readonly kind: ContentKind;
  readonly bytes: Buffer;
};

/**
 * Every content asked for, each hashed again.
 * @throws RokError content_missing or content_changed
 */
export async function loadContents(sql: Sql, run: RunId, digests: readonly Digest[]): Promise<Loaded> {
  const rows = await sql.query<ContentRow>(
    `SELECT s.salt, c.digest, c.kind, c.bytes
     FROM execute.salts s LEFT JOIN execute.contents c ON c.run_id = s.run_id AND c.digest = ANY ($2::text[])
     WHERE s.run_id = $1`,
    [uuidOf(run), [...new Set(digests)]],
  );
  return loadedFrom(run, rows, digests);
}

/** @throws RokError content_missing or content_changed */
export function loadedFrom(run: RunId, rows: readonly ContentRow[], digests: readonly Digest[]): Loaded {
  const salt = rows[0]?.salt;
  if (salt === undefined) throw new RokError('content_missing', `run \`${run}\` has no salt`);
  const contents = new Map<Digest, LoadedContent>();
  for (const { digest, kind, bytes } of rows) {
    if (digest === null) continue;
    if (contentDigest(salt, kind, bytes) !== digest)
      throw new RokError('content_changed', `content \`${digest}\` of run \`${run}\` does not have its digest`);
    contents.set(digest, { kind, text: bytes.toString('utf8') });
  }
  const missing = digests.find((digest) => !contents.has(digest));
  if (missing !== undefined)
    throw new RokError('content_missing', `content \`${missing}\` of run \`${run}\` is not stored`);
  return { salt, contents };
}
