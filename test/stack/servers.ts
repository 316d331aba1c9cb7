/** The real servers of the tests, started as `rok dev` starts them, but for durability, which costs time and is tested apart. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres, type LocalPostgres } from '../../src/platform/local/postgres.js';
import { findTemporalCli } from '../../src/platform/local/temporal-cli.js';
import { startTemporal, type LocalTemporal } from '../../src/platform/local/temporal-server.js';
import type { Login } from '../../src/platform/postgres/login.js';
import { proofSize } from '../proof-size.js';

export const sqlFolder = fileURLToPath(new URL('../../sql', import.meta.url));

/** PostgreSQL runs as another user than root and must be able to enter it, hence the mode. */
export async function temporaryFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `rok-${name}-`));
  await chmod(folder, 0o755);
  return folder;
}

export function hasSql(): boolean {
  return existsSync(sqlFolder);
}

const quick = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };

export interface PostgresChoice {
  readonly port?: number;
  /** False for tests that kill the server and expect every commit to be there. */
  readonly quick?: boolean;
}

export function testPostgres(folder: string, choice: PostgresChoice = {}): Promise<LocalPostgres> {
  return startPostgres({
    dataDir: join(folder, 'postgres'),
    settings: choice.quick === false ? { max_connections: '300' } : quick,
    ...(choice.port === undefined ? {} : { port: choice.port }),
  });
}

export async function testTemporal(
  folder: string,
  namespaces: readonly string[],
  ports: { readonly port?: number } = {},
): Promise<LocalTemporal> {
  const cli = await temporalCli();
  const settings = [`history.maxTotalUpdates=${TEMPORAL_TAKES.updates}`];
  return startTemporal({ cli, dbFile: join(folder, 'temporal.db'), namespaces, settings, ...ports });
}

/** Of one execution. Temporal's own limit in the whole proofs; else one that is soon reached. */
export const TEMPORAL_TAKES = { updates: proofSize({ quick: 280, full: 2_000 }) } as const;

export function temporalCli(): Promise<string> {
  return findTemporalCli({
    given: process.env['ROK_TEMPORAL_CLI'],
    path: process.env['PATH'] ?? '',
    folder: fileURLToPath(new URL('../../.rok', import.meta.url)),
  });
}

/** Test data, on a server that only this machine reaches and that is gone after the tests. */
export const testPasswords: Readonly<Record<Login, string>> = {
  decide: 'decide-test',
  observe: 'observe-test',
  execute: 'execute-test',
  audit: 'audit-test',
  read: 'read-test',
};
