/**
 * Records one occurrence for every failed run, under an incident that collects the failures of one kind and day. Only a
 * new incident is reported. It repairs nothing.
 */
import { createHash } from 'node:crypto';
import { uuidOf } from '../../domain/ids.js';
import { isFailure } from '../../domain/phases.js';
import type { CloseOut } from '../../domain/protocol/execute.js';
import type { Sql } from '../../domain/sql.js';
import { acknowledge } from './acknowledge.js';

const TAG = 'rok.incident.v1';
const CLASS_CHARS = 80;
const DETAIL_CHARS = 1_000;

export type Reported = { readonly acked: readonly string[]; readonly newIncident: string | null };

export async function reportFailure(sql: Sql, closeOut: CloseOut): Promise<Reported> {
  if (!isFailure(closeOut.outcome)) return { acked: [], newIncident: null };
  const newIncident = await recordOccurrence(sql, closeOut);
  const evidence = { table: 'execute.incident_occurrences' };
  return { acked: [await acknowledge(sql, closeOut.run, 'incidents', 'create_incident', evidence)], newIncident };
}

/** The incident's id when this run is its first. */
async function recordOccurrence(sql: Sql, closeOut: CloseOut): Promise<string | null> {
  const { run, tenant, agent, outcome, lastStep, decision } = closeOut;
  const detail = closeOut.detail.replaceAll('\0', '').slice(0, DETAIL_CHARS);
  const [there] = await sql.query('SELECT FROM execute.incident_occurrences WHERE run_id = $1', [uuidOf(run)]);
  if (there !== undefined) return null;
  const { incident, isNew } = await openIncident(sql, tenant, agent, fingerprint(agent, outcome, detail));
  await sql.query(
    `INSERT INTO execute.incident_occurrences (run_id, incident_id, outcome, step, detail, context)
     VALUES ($1, $2, $3, $4, $5, $6::jsonb) ON CONFLICT (run_id) DO NOTHING`,
    [uuidOf(run), incident, outcome, lastStep, detail, JSON.stringify({ tenant, agent, decision })],
  );
  return isNew ? incident : null;
}

async function openIncident(sql: Sql, tenant: string, agent: string, kind: string) {
  const [made] = await sql.query<{ incident_id: string }>(
    `INSERT INTO execute.incidents (tenant, fingerprint, agent) VALUES ($1, $2, $3)
     ON CONFLICT (tenant, fingerprint, day) DO NOTHING RETURNING incident_id`,
    [tenant, kind, agent],
  );
  if (made !== undefined) return { incident: made.incident_id, isNew: true };
  const [standing] = await sql.query<{ incident_id: string }>(
    `SELECT incident_id FROM execute.incidents WHERE tenant = $1 AND fingerprint = $2 ORDER BY day DESC LIMIT 1`,
    [tenant, kind],
  );
  if (standing === undefined) throw new Error('an incident that was there is gone');
  return { incident: standing.incident_id, isNew: false };
}

/** Failures of one agent that ended the same way for the same kind of reason. */
export function fingerprint(agent: string, outcome: string, detail: string): string {
  return createHash('sha256')
    .update(JSON.stringify([TAG, agent, outcome, detailClass(detail)]))
    .digest('hex');
}

/** What comes before the first colon, with names and numbers taken out: `budget_exceeded: 0.51 > 0.50` is `budget_exceeded`. */
export const detailClass = (detail: string): string =>
  (detail.split(':')[0] ?? '')
    .replace(/`[^`]*`/g, '`…`')
    .replace(/\d+/g, '#')
    .trim()
    .toLowerCase()
    .slice(0, CLASS_CHARS);
