/**
 * Ends a PostgreSQL that a killed process left running on our data. Only if its command line names the data folder; it
 * never deletes postmaster.pid, which PostgreSQL judges itself.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argumentsOf, endProcess } from './process-identity.js';

/** True when there was one. It rolls back what was open; nothing that was committed is lost. */
export async function endLeftoverPostgres(dataDir: string): Promise<boolean> {
  const file = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(file, 10);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const args = await argumentsOf(pid);
  if (!args.includes(dataDir)) return false;
  await endProcess(pid, 'SIGINT', 20_000);
  return true;
}
