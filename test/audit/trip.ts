/**
 * Makes single runs such that the judge fails on them: whoever reads such a run's incident meets the error planted for it.
 * By a superuser, as a broken disk or a bug would; only runs that have an incident can be so.
 */
import type { Database } from '../../src/domain/sql.js';

/** A SQLSTATE; or what takes too long, or ends the judge's connection. */
export type Trip = 'sleep' | 'kill' | (string & {});

export async function plantTrips(admin: Database): Promise<void> {
  await admin.query('CREATE SCHEMA trip');
  await admin.query('CREATE TABLE trip.wires (run_id uuid PRIMARY KEY, how text NOT NULL)');
  await admin.query(
    `CREATE FUNCTION trip.over(p_run uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
     DECLARE v_how text;
     BEGIN
       SELECT w.how INTO v_how FROM trip.wires w WHERE w.run_id = p_run;
       IF v_how = 'sleep' THEN
         PERFORM pg_sleep(60);
       ELSIF v_how = 'kill' THEN
         PERFORM pg_terminate_backend(pg_backend_pid());
         PERFORM pg_sleep(1);
       ELSIF v_how IS NOT NULL THEN
         RAISE EXCEPTION 'planted' USING ERRCODE = v_how;
       END IF;
       RETURN true;
     END $$`,
  );
  await admin.query('GRANT USAGE ON SCHEMA trip TO PUBLIC');
  await admin.query('ALTER VIEW execute.v_incident_occurrences RENAME TO v_kept');
  await admin.query(
    'CREATE VIEW execute.v_incident_occurrences AS SELECT o.* FROM execute.v_kept o WHERE trip.over(o.run_id)',
  );
  await admin.query('ALTER VIEW execute.v_incident_occurrences OWNER TO rok_execute_owner');
  await admin.query('GRANT SELECT ON execute.v_incident_occurrences TO rok_audit, rok_audit_owner');
}

export async function trip(admin: Database, run: string, how: Trip): Promise<void> {
  await admin.query('INSERT INTO trip.wires VALUES ($1, $2) ON CONFLICT (run_id) DO UPDATE SET how = excluded.how', [
    run,
    how,
  ]);
}

export async function mend(admin: Database, run: string): Promise<void> {
  await admin.query('DELETE FROM trip.wires WHERE run_id = $1', [run]);
}
