/** Starts and stops the one stack that all test files share: one PostgreSQL, one Temporal. */
import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../src/platform/postgres/database.js';
import type { LocalPostgres } from '../../src/platform/local/postgres.js';
import { StartError } from '../../src/platform/start-error.js';
import { migrateForTests } from './databases.js';
import { temporaryFolder, testPasswords, testPostgres, testTemporal } from './servers.js';
import type { StackFile } from './stack-file.js';

export interface SharedServers {
  readonly file: string;
  stop(): Promise<void>;
}

const template = 'rok_template';
const namespaces = Array.from({ length: 144 }, (_, at) => `t${`${at + 1}`.padStart(2, '0')}`);

export async function startSharedServers(): Promise<SharedServers> {
  const folder = await temporaryFolder('stack');
  // Also when the run is ended by a signal, or the servers do not start.
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  process.once('exit', remove);
  const [postgres, temporal] = await Promise.all([withTemplate(folder), testTemporal(folder, namespaces)]);
  const content: StackFile = {
    folder,
    adminUrl: postgres.adminUrl('postgres'),
    template,
    passwords: testPasswords,
    temporalAddress: temporal.address,
    temporalUiUrl: temporal.uiUrl,
    namespaces,
  };
  const file = join(folder, 'stack.json');
  await writeFile(file, JSON.stringify(content), { mode: 0o600 });
  return {
    file,
    async stop() {
      await Promise.all([postgres.stop(), temporal.stop()]);
      remove();
    },
  };
}

async function withTemplate(folder: string): Promise<LocalPostgres> {
  const postgres = await testPostgres(folder);
  const admin = await openDatabase(postgres.adminUrl('postgres'), { applicationName: 'tests', max: 1 });
  await admin.query(`CREATE DATABASE ${template}`);
  await admin.close();
  try {
    await migrateForTests(postgres.adminUrl(template), testPasswords);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // Tests that need no tables still run; those that do fail on the first statement, and here is why.
    process.stderr.write(`tests: the schema could not be made: ${error.message}\n`);
  }
  return postgres;
}
