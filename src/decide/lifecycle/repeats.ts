/**
 * Whether a start with an id that is taken is the same as the first start. Asked beside the run while Temporal knows
 * the id, and during open when Temporal has forgotten it. Changes nothing.
 */
import { uuidOf, runIdOf, type RunId } from '../../domain/ids.js';
import type { PersonKey } from '../../domain/person.js';
import { PROFILE_RULES, type Profile } from '../../domain/profiles.js';
import type { Compared } from '../../domain/protocol/administer.js';
import { requestDigests } from '../../domain/request-identity.js';
import { parseRunSpec, type RunSpec } from '../../domain/run-spec.js';
import type { Sql } from '../../domain/sql.js';
import type { DecideDeps } from '../deps.js';

type First = {
  readonly run_id: string;
  readonly profile: Profile;
  readonly request_digest: string | null;
  readonly nonce: string | null;
  readonly field_digests: Readonly<Record<string, string>> | null;
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly folded: string | null;
  readonly assertion: string | null;
  readonly now_ms: number;
};

/** By the workflow that carries the first, or by its run. `workflowId` is what an assertion for the repeat names. */
export async function compareStart(
  sql: Sql,
  deps: DecideDeps,
  { workflowId, spec, run }: { readonly workflowId: string; readonly spec: unknown; readonly run?: RunId },
): Promise<Compared> {
  const [first] = await sql.query<First>(
    `SELECT r.run_id, r.profile, r.request_digest, q.nonce, q.field_digests, p.issuer, p.subject, p.folded, a.assertion,
      floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
    FROM decide.runs r LEFT JOIN decide.requests q USING (run_id) LEFT JOIN decide.persons p ON p.person = r.requester
    LEFT JOIN decide.acts a ON a.run_id = r.run_id AND a.update_id = 'start'
    WHERE CASE WHEN $2::uuid IS NULL THEN r.workflow_id = $1 ELSE r.run_id = $2 END`,
    [workflowId, run === undefined ? null : uuidOf(run)],
  );
  if (first === undefined) return { result: 'unopened' };
  const id = runIdOf(first.run_id);
  const parsed = parseRunSpec(spec);
  if (!parsed.ok) return { result: 'another', run: id, fields: [] };
  const asking = await personOf(deps, parsed.spec, first, workflowId);
  if ('refused' in asking) return { result: 'refused', reason: asking.refused };
  if (first.nonce === null || first.request_digest === null) return { result: 'another', run: id, fields: [] };
  const digests = requestDigests(first.nonce, parsed.spec, asking.person);
  if (digests?.whole === first.request_digest) return { result: 'same', run: id };
  return { result: 'another', run: id, fields: differing(first.field_digests ?? {}, digests?.fields ?? {}) };
}

/** The very assertion of the first start is still of whom it was, though it is used and may be over. */
async function personOf(
  deps: DecideDeps,
  spec: RunSpec,
  first: First,
  workflowId: string,
): Promise<{ readonly person: PersonKey } | { readonly refused: string }> {
  const { issuer, subject, folded } = first;
  const repeated = 'assertion' in spec.actor && spec.actor.assertion === first.assertion;
  if (repeated && issuer !== null && subject !== null && folded !== null)
    return { person: { issuer, subject, folded } };
  const verified = await deps.verifyClaim(spec.actor, {
    workflowId,
    verb: 'start',
    nowMs: first.now_ms,
    requireAssertion: PROFILE_RULES[first.profile].requireAssertion,
  });
  return verified.ok ? { person: verified.actor.person } : { refused: verified.reason.text };
}

export const conflictText = ({ run, fields }: Extract<Compared, { result: 'another' }>): string =>
  `the id belongs to run \`${run}\`, which was asked for with another ${fields.length === 0 ? 'request' : fields.join(', ')}`;

/** Named to the one who asked first only: anybody else could try out inputs. */
function differing(first: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): readonly string[] {
  if (first['person'] === undefined || first['person'] !== now['person']) return ['person'];
  return [...new Set([...Object.keys(first), ...Object.keys(now)])].filter((name) => first[name] !== now[name]).sort();
}
