/**
 * Names of things, as branded strings. A run's id is `run_<uuid v7>` everywhere outside PostgreSQL and the bare uuid
 * inside it. No id is made here: `decide.open` makes run ids.
 */
import type { Branded } from './brand.js';

export type RunId = Branded<string, 'RunId'>;
/** RFC 3339 in UTC with up to microseconds, as the database gave it. */
export type Iso8601 = Branded<string, 'Iso8601'>;
/** 64 lower-case hexadecimal digits: SHA-256, always over a domain tag (see digest.ts). */
export type Digest = Branded<string, 'Digest'>;
/** Names a rule of a check or a policy, e.g. `limits.steps` or `refunds/large`. */
export type RuleId = Branded<string, 'RuleId'>;

const RUN_ID = /^run_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DIGEST = /^[0-9a-f]{64}$/;

export const isRunId = (text: string): text is RunId => RUN_ID.test(text);
export const isDigest = (text: string): text is Digest => DIGEST.test(text);

/** @throws RangeError when `text` is not of the form `run_<uuid>` */
export function asRunId(text: string): RunId {
  if (!isRunId(text)) throw new RangeError(`\`${text.slice(0, 64)}\` is not a run id`);
  return text;
}

/** @throws RangeError when `text` is not 64 hexadecimal digits */
export function asDigest(text: string): Digest {
  if (!isDigest(text)) throw new RangeError(`\`${text.slice(0, 80)}\` is not a digest`);
  return text;
}

/** The uuid that PostgreSQL stores for this run. */
export const uuidOf = (run: RunId): string => run.slice('run_'.length);
/** @throws RangeError when `uuid` is not one */
export const runIdOf = (uuid: string): RunId => asRunId(`run_${uuid}`);

/** Workflow id of a governed run: `rok/<tenant>/<the caller's id, or the run id>`. */
export const workflowIdOf = (tenant: string, id: string): string => `rok/${tenant}/${id}`;
export const ruleId = (text: string): RuleId => text as RuleId;
export const iso = (text: string): Iso8601 => text as Iso8601;
