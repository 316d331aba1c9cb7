/**
 * What a test file runs on: a database and a namespace of its own on the shared servers, or servers of its own for tests
 * that kill them. Real parts only.
 */
import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import type { LocalPostgres } from '../../src/platform/local/postgres.js';
import type { LocalTemporal } from '../../src/platform/local/temporal-server.js';
import { RECONCILE_SCHEDULE } from '../../src/platform/temporal/schedule.js';
import { copyDatabase, dropDatabase, loginUrls, migrateForTests, openAdmin, withDatabase } from './databases.js';
import type { LoginUrls } from './databases.js';
import { temporaryFolder, testPasswords, testPostgres, testTemporal } from './servers.js';
import { readStackFile, type StackFile } from './stack-file.js';

export interface Stack {
  readonly database: string;
  /** The superuser's URL of this database. */
  readonly adminUrl: string;
  readonly urls: LoginUrls;
  readonly admin: OpenDatabase;
  readonly temporalAddress: string;
  readonly namespace: string;
  /** Closes `admin` and drops the database; connections still open to it are ended. */
  drop(): Promise<void>;
}

export async function createStack(): Promise<Stack> {
  const shared = await readStackFile();
  const database = `rok_${randomUUID().replaceAll('-', '')}`;
  const namespace = await takeNamespace(shared);
  await copyDatabase(shared.adminUrl, shared.template, database);
  const adminUrl = withDatabase(shared.adminUrl, database);
  const admin = await openAdmin(adminUrl);
  return {
    database,
    adminUrl,
    urls: loginUrls(adminUrl, shared.passwords),
    admin,
    temporalAddress: shared.temporalAddress,
    namespace,
    async drop() {
      await admin.close();
      await Promise.all([dropDatabase(shared.adminUrl, database), endSchedule(shared.temporalAddress, namespace)]);
    },
  };
}

/** Each is taken once per test run and never given back: what one test file leaves in it cannot disturb another. */
async function takeNamespace({ folder, namespaces }: StackFile): Promise<string> {
  for (const namespace of namespaces) {
    const taken = await open(join(folder, `${namespace}.taken`), 'wx').catch(() => undefined);
    if (taken === undefined) continue;
    await taken.close();
    return namespace;
  }
  throw new Error(`all ${namespaces.length} namespaces are taken: make more in test/stack/shared-servers.ts`);
}

/** Of gRPC. */
const NOT_FOUND = 5;

/** What an audit worker left there would start a workflow every second, for nobody, until the last test of all has run. */
async function endSchedule(address: string, namespace: string): Promise<void> {
  const connection = Connection.lazy({ address });
  try {
    await connection.workflowService.deleteSchedule({ namespace, scheduleId: RECONCILE_SCHEDULE, identity: 'tests' });
  } catch (error) {
    if (!isGrpcServiceError(error) || (error.code as number) !== NOT_FOUND) throw error;
  } finally {
    await connection.close();
  }
}

export interface OwnStackOptions {
  /** Without it Temporal's server is the shared one. */
  readonly temporal?: boolean;
  /** Keeps every commit through a crash, as in production. Slower. */
  readonly durable?: boolean;
}

/** A stack whose servers may be killed and started again, at the same addresses. */
export interface OwnStack extends Stack {
  readonly folder: string;
  readonly postgres: LocalPostgres;
  readonly temporal: LocalTemporal | undefined;
  /** After `postgres` was killed or stopped; `admin` and the workers' pools connect again by themselves. */
  restartPostgres(): Promise<LocalPostgres>;
  restartTemporal(): Promise<LocalTemporal>;
}

export async function createOwnStack(options: OwnStackOptions = {}): Promise<OwnStack> {
  const folder = await temporaryFolder('own');
  const quick = options.durable !== true;
  let postgres = await testPostgres(folder, { quick });
  const database = 'rok_own';
  const bootstrap = await openAdmin(postgres.adminUrl('postgres'));
  await bootstrap.query(`CREATE DATABASE ${database}`);
  await bootstrap.close();
  const adminUrl = postgres.adminUrl(database);
  await migrateForTests(adminUrl, testPasswords);
  const admin = await openAdmin(adminUrl);
  const shared = options.temporal === true ? undefined : await readStackFile();
  const namespace = shared === undefined ? 'own' : await takeNamespace(shared);
  let temporal = shared === undefined ? await testTemporal(folder, [namespace]) : undefined;
  const temporalAddress = temporal?.address ?? shared?.temporalAddress ?? '';
  return {
    folder,
    database,
    adminUrl,
    urls: loginUrls(adminUrl, testPasswords),
    admin,
    temporalAddress,
    namespace,
    get postgres() {
      return postgres;
    },
    get temporal() {
      return temporal;
    },
    async restartPostgres() {
      postgres = await testPostgres(folder, { quick, port: postgres.port });
      return postgres;
    },
    async restartTemporal() {
      temporal = await testTemporal(folder, [namespace], { port: Number(temporalAddress.split(':')[1]) });
      return temporal;
    },
    async drop() {
      await admin.close();
      if (shared !== undefined) await endSchedule(temporalAddress, namespace);
      await Promise.all([postgres.stop(), temporal?.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
