/**
 * Records the profile that the deployment gives to tenants without one of their own, as the audit's own configuration
 * says, with its history.
 */
import type { Profile } from '../../domain/profiles.js';
import type { Sql } from '../../domain/sql.js';

/** Nothing is written where it is what stands. */
export async function enterDeployment(sql: Sql, profile: Profile): Promise<void> {
  await sql.query(
    `INSERT INTO audit.deployment_profiles (profile) SELECT $1
     WHERE $1 IS DISTINCT FROM (SELECT d.profile FROM audit.deployment_profiles d ORDER BY d.since DESC LIMIT 1)`,
    [profile],
  );
}
