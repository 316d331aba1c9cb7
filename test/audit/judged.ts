/** Plants facts, lets the audit login judge them, and reads what it wrote. */
import type { Database } from '../../src/domain/sql.js';
import { judgeDue } from '../../src/audit/judge/judge.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import type { Login } from '../../src/platform/postgres/login.js';
import type { Stack } from '../stack/stack.js';
import type { RunFacts } from './facts.js';
import type { ModelVerdict } from './model.js';
import { plant } from './plant.js';

export const openAs = (stack: Stack, login: Login): Promise<OpenDatabase> =>
  openDatabase(stack.urls[login], { login, applicationName: 'tests', max: 4 });

/** The latest verdict of each run, in the order given; null where there is none. */
export async function verdictsOf(sql: Database, runs: readonly string[]): Promise<readonly (ModelVerdict | null)[]> {
  const rows = await sql.query<ModelVerdict & { run_id: string }>(
    'SELECT run_id, status, findings FROM audit.v_verdicts WHERE run_id = ANY ($1::uuid[])',
    [runs],
  );
  const byRun = new Map(rows.map(({ run_id, status, findings }) => [run_id, { status, findings }]));
  return runs.map((run) => byRun.get(run) ?? null);
}

export async function judgePlanted(admin: Database, audit: Database, facts: RunFacts): Promise<ModelVerdict | null> {
  await plant(admin, [facts]);
  await judgeDue(audit);
  return (await verdictsOf(admin, [facts.run]))[0] ?? null;
}
