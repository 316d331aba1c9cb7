/**
 * Everything that the front doors read from the database: by login `rok_read`, or by an auditor's own, through the
 * views of each power. The only way to the database for cli/ and client.ts; it has no statement that writes.
 */
import type { JSONWebKeySet } from 'jose';
import { collectBundle } from '../audit/evidence/bundle.js';
import { bundleText, type Bundle } from '../audit/evidence/evidence.js';
import { headLines, readHeads } from '../audit/receipts/heads.js';
import { readKeys } from '../audit/evidence/key-set.js';
import { brokenLive } from '../audit/evidence/live.js';
import { statedBy } from '../audit/receipts/receipt.js';
import { collectChain } from '../audit/receipts/receipt-chain.js';
import { differenceOf, rejudge } from '../audit/judge/rejudge.js';
import type { Broken } from '../audit/verify/verify.js';
import { isRunId, runIdOf, uuidOf, type Iso8601, type RunId } from '../domain/ids.js';
import { RokError } from '../domain/errors.js';
import type { JsonObject } from '../domain/json.js';
import { isTerminal } from '../domain/phases.js';
import type { Row } from '../domain/sql.js';
import { isAuditorUrl, throughAuditorViews } from './auditor-views.js';
import { databaseUrlOf, loadConfig } from '../platform/config/config.js';
import { openDatabase, type OpenDatabase } from '../platform/postgres/database.js';
import { limitsOf } from '../platform/postgres/login.js';
import { sqlState } from '../platform/postgres/postgres-error.js';
import { readAnswer, readArguments } from './shown-contents.js';
import type { ShownText } from './shown-text.js';
import { RUN_VIEW_SQL, toRunView, type RunView, type RunViewRow } from './run-view.js';

export type { OpenHold, RunView } from './run-view.js';
export type { ShownText } from './shown-text.js';

export type TraceLine = {
  readonly seq: number;
  readonly at: Iso8601;
  readonly id: string;
  readonly kind: string;
  readonly body: JsonObject;
};
export type StoredReceipt = {
  readonly run: RunId;
  readonly tenant: string;
  readonly n: string;
  readonly revision: number;
  readonly jws: string;
  readonly signedAt: Iso8601;
};
export type RunFilter = {
  readonly tenant?: string;
  readonly open?: boolean;
  readonly held?: boolean;
  readonly limit?: number;
};

export interface Reader {
  /** By run id or workflow id; null when there is no such run (yet). */
  run(name: string): Promise<RunView | null>;
  /** The newest first. */
  runs(filter?: RunFilter): Promise<readonly RunView[]>;
  /** Events after number `after`. */
  trace(run: RunId, after?: number): Promise<readonly TraceLine[]>;
  receipt(run: RunId): Promise<StoredReceipt | null>;
  /** What the run answered, at most 64 KiB of it; null when it has not ended, or ended without an answer. */
  answer(run: RunId): Promise<ShownText | null>;
  /** The arguments of a decided call by their digest, at most 64 KiB; null when they are not stored (any more). */
  arguments(run: RunId, digest: string): Promise<ShownText | null>;
  /** A bundle as it is exported; null when the run has no receipt yet. @param revision the latest signed one unless given */
  bundle(run: RunId, revision?: number): Promise<string | null>;
  /** What only the database can say of a signed run: null, or the first thing that is not what was signed. */
  live(run: RunId): Promise<Broken | null>;
  /** Judges the rows again: null, or how they differ first from what the receipt of this bundle says. */
  rejudged(run: RunId, bundle: string): Promise<Broken | null>;
  /** The chain of a tenant's receipts as it is exported; `-` is the chain of strays. */
  chain(tenant: string): Promise<string>;
  /** Public keys that ever signed receipts. */
  keys(): Promise<JSONWebKeySet>;
  /** The heads of all chains, as lines to be kept outside the database. */
  heads(): Promise<string>;
  /** Any other statement that the login may make, such as over tables of one's own skills. */
  rows(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  close(): Promise<void>;
}

const MAX_ROWS = 1_000;

/** Throws a StartError with exit code 9 when there is no answer. */
export async function openReader(env?: NodeJS.ProcessEnv): Promise<Reader> {
  const url = databaseUrlOf(loadConfig(env), 'read');
  const options = { applicationName: 'rok-read', max: 3 };
  if (isAuditorUrl(url))
    return readerOn(throughAuditorViews(await openDatabase(url, { ...options, ...limitsOf('read') })));
  return readerOn(await openDatabase(url, { ...options, login: 'read' }));
}

export function readerOn(database: OpenDatabase): Reader {
  const ask = <R extends object>(text: string, values: readonly unknown[] = []): Promise<readonly R[]> =>
    database.query<R>(text, values).catch((error: unknown) => {
      throw explained(error, database.place);
    });
  const guarded = { query: ask };
  return {
    async run(name) {
      const [row] = isRunId(name)
        ? await ask<RunViewRow>(`${RUN_VIEW_SQL} WHERE r.run_id = $1`, [uuidOf(name)])
        : await ask<RunViewRow>(`${RUN_VIEW_SQL} WHERE r.workflow_id = $1`, [name]);
      return row === undefined ? null : toRunView(row);
    },
    async runs({ tenant, open, held, limit } = {}) {
      const rows = await ask<RunViewRow>(
        `${RUN_VIEW_SQL} WHERE ($1::text IS NULL OR r.tenant = $1)
          AND (NOT $2 OR r.phase NOT IN ('COMPLETED', 'FAILED'))
          AND (NOT $3 OR (r.phase NOT IN ('COMPLETED', 'FAILED') AND h.open_holds IS NOT NULL))
        ORDER BY r.opened_at DESC LIMIT $4`,
        [tenant ?? null, open ?? false, held ?? false, Math.min(limit ?? 50, MAX_ROWS)],
      );
      return rows.map(toRunView);
    },
    async trace(run, after = 0) {
      const rows = await ask<TraceLine & { readonly text: string }>(
        `SELECT seq::int, at, event_id AS id, kind, convert_from(bytes, 'UTF8') AS text
        FROM observe.v_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
        [uuidOf(run), after, MAX_ROWS],
      );
      return rows.map(({ text, ...line }) => ({ ...line, body: (JSON.parse(text) as { body: JsonObject }).body }));
    },
    async receipt(run) {
      const [row] = await ask<Omit<StoredReceipt, 'run'> & { readonly run_id: string }>(
        `SELECT run_id, tenant, n::text, revision, jws, signed_at AS "signedAt"
        FROM audit.v_receipts WHERE run_id = $1 ORDER BY revision DESC LIMIT 1`,
        [uuidOf(run)],
      );
      if (row === undefined) return null;
      const { run_id, ...receipt } = row;
      return { run: runIdOf(run_id), ...receipt };
    },
    answer: (run) => readAnswer(guarded, run),
    arguments: (run, digest) => readArguments(guarded, run, digest),
    async bundle(run, revision) {
      const bundle = await collectBundle(guarded, run, {
        keys: await readKeys(guarded),
        ...(revision === undefined ? {} : { revision }),
      });
      return bundle === null ? null : bundleText(bundle);
    },
    live: (run) => brokenLive(guarded, run),
    rejudged: async (run, bundle) =>
      differenceOf(statedBy((JSON.parse(bundle) as Bundle).receipt), await rejudge(guarded, run)),
    chain: async (tenant) => `${JSON.stringify(await collectChain(guarded, tenant, await readKeys(guarded)))}\n`,
    keys: () => readKeys(guarded),
    heads: async () => headLines(await readHeads(guarded, 'audit.v_receipt_heads')),
    rows: (text, values) => ask<Row>(text, values),
    close: () => database.close(),
  };
}

/** Whether nothing more will be said of the run: it ended and was judged. */
export const isSettled = (view: RunView): boolean => isTerminal(view.phase) && view.verdict !== null;

/** A connection that broke is told from a statement that was wrong. */
function explained(error: unknown, place: string): unknown {
  const code = sqlState(error) ?? '';
  const lost =
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|08|57P)/.test(code) ||
    (code === '' && error instanceof Error && /terminated|timeout/i.test(error.message));
  return lost
    ? new RokError(
        'postgres_unreachable',
        `PostgreSQL at \`${place}\` does not answer (${code === '' ? 'connection lost' : code})`,
        'start it and ask again',
      )
    : error;
}
