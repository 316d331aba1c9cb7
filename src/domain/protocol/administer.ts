/**
 * What administrators and operators ask of the deciding power about no single run: halts, policies, looking back. The
 * receiver parses it, because it comes from outside unchecked; workflow code imports only the types.
 */
import { z } from 'zod';
import type { ActorClaim } from '../actor.js';
import { canonicalJson } from '../canonical-json.js';
import { digest, DIGEST_TAGS } from '../digest.js';
import { isRunId, type Digest, type RunId } from '../ids.js';
import type { Json, JsonObject } from '../json.js';
import type { PolicySource } from '../policy-source.js';
import { isStorable } from '../text.js';
import { ACTOR_VERBS, type ActAnswer, type ActorVerb } from './decide.js';

export const HALT_SCOPES = ['all', 'tenant', 'agent'] as const;
export type HaltScope = (typeof HALT_SCOPES)[number];
export const ADMIN_VERBS = ['halt.set', 'halt.lift', 'policy.publish'] as const;
export type AdminVerb = (typeof ADMIN_VERBS)[number];

export type AdminAct = { readonly reason: string } & (
  | {
      readonly verb: 'halt.set' | 'halt.lift';
      readonly scope: HaltScope;
      /** The tenant, or `tenant/agent`; empty for all. */
      readonly subject: string;
    }
  | {
      readonly verb: 'policy.publish';
      /** Empty: all tenants that have no set of their own. */
      readonly tenant: string;
      readonly source: PolicySource;
    }
);
/** What an assertion for an act binds to. */
export const actDigest = (act: AdminAct): Digest =>
  digest(DIGEST_TAGS.act, canonicalJson(JSON.parse(JSON.stringify(act)) as Json));

export type Administration =
  | { readonly ask: 'act'; readonly act: AdminAct; readonly claim: ActorClaim }
  /** Whether a start under an id that is taken is the first one's repeat. */
  | { readonly ask: 'same'; readonly workflowId: string; readonly spec: unknown }
  /** An act on a run, beside it: for one that has used up the messages that Temporal takes. */
  | {
      readonly ask: 'steer';
      /** Run id or workflow id. */
      readonly run: string;
      readonly verb: ActorVerb;
      readonly updateId: string;
      /** What an update of that verb would carry. */
      readonly said: unknown;
    }
  /** A stored decision once more; of the step's last attempt where none is named. */
  | { readonly ask: 'recompute'; readonly run: RunId; readonly step: number; readonly attempt: number | null }
  /** The last decisions again, by a set that is not in force. */
  | { readonly ask: 'replay'; readonly source: PolicySource; readonly tenant: string | null; readonly last: number };

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,127}';
const reason = z
  .string({ error: 'a reason is needed' })
  .max(1000, 'a reason has at most 1000 characters')
  .refine((text) => text.trim() !== '' && isStorable(text), 'a reason is needed');
const named = (form: string, says: string) => z.string().regex(new RegExp(`^${form}$`), says);
const verb = z.enum(['halt.set', 'halt.lift']);
const act = z.union(
  [
    z.strictObject({ verb, reason, scope: z.literal('all'), subject: z.literal('') }),
    z.strictObject({ verb, reason, scope: z.literal('tenant'), subject: named(NAME, 'a tenant has another form') }),
    z.strictObject({
      verb,
      reason,
      scope: z.literal('agent'),
      subject: named(`${NAME}/${NAME}`, 'an agent is named `tenant/agent`'),
    }),
    z.strictObject({
      verb: z.literal('policy.publish'),
      reason,
      tenant: named(`(${NAME})?`, 'a tenant has another form'),
      source: z.looseObject({}),
    }),
  ],
  { error: 'an act is a halt on `all`, on a tenant or on `tenant/agent`, or a set for a tenant; with a reason' },
);
/** A message is read where it is decided, as the run reads it: here only that there is one. */
const steer = z.strictObject({
  ask: z.literal('steer'),
  run: z.string().min(1).max(1_000).refine(isStorable),
  verb: z.enum(ACTOR_VERBS),
  updateId: z.unknown(),
  said: z.unknown(),
});
const count = z.int().min(0).max(1_000_000_000);
const administration = z.union([
  z.strictObject({ ask: z.literal('act'), act, claim: z.unknown() }),
  steer,
  z.strictObject({
    ask: z.literal('recompute'),
    run: z.string().refine(isRunId, 'a run id has another form'),
    step: count,
    attempt: count.nullable(),
  }),
  z.strictObject({
    ask: z.literal('same'),
    workflowId: z.string().min(1).max(1000).refine(isStorable),
    spec: z.unknown(),
  }),
  z.strictObject({
    ask: z.literal('replay'),
    source: z.looseObject({}),
    tenant: z.string().max(128).nullable(),
    last: count,
  }),
]);

/** What a claim and a policy set hold is looked at by whoever takes them. @returns null for what is none of these */
export function parseAdministration(value: unknown): Administration | null {
  const parsed = administration.safeParse(value);
  return parsed.success ? (parsed.data as unknown as Administration) : null;
}

export type Administered =
  | ({ readonly ask: 'act' } & Acted)
  | ({ readonly ask: 'steer' } & SteeredBeside)
  | ({ readonly ask: 'recompute' } & Recomputed)
  | ({ readonly ask: 'replay' } & Replayed)
  | ({ readonly ask: 'same' } & Compared);

export type Compared =
  | { readonly result: 'same'; readonly run: RunId }
  /** `fields` only for who asked first, and where it is known. */
  | { readonly result: 'another'; readonly run: RunId; readonly fields: readonly string[] }
  /** Who repeats it was not verified. */
  | { readonly result: 'refused'; readonly reason: string }
  /** No run was opened under it yet. */
  | { readonly result: 'unopened' };

export type Acted =
  | {
      readonly allowed: true;
      readonly actor: string;
      /** Ids of the halts, or the digest of the set. */
      readonly changed: readonly string[];
    }
  | {
      readonly allowed: false;
      readonly actor: string;
      readonly code: 'actor_refused' | 'policy_invalid' | 'policy_test_failed';
      readonly reason: string;
    };

/** As the run answers it. */
export type SteeredBeside = {
  readonly answer: ActAnswer;
  /** Of the run's history, which is told to look. */
  readonly workflowId: string;
};

export type Recomputed =
  | { readonly found: false }
  | ({ readonly found: true; readonly run: RunId; readonly step: number; readonly attempt: number } & (
      | { readonly result: 'equal' }
      | { readonly result: 'differs'; readonly stored: JsonObject; readonly recomputed: JsonObject }
      /** It cannot be told: what it depended on was deleted, or is not what its digest names. */
      | { readonly result: 'deleted' | 'changed'; readonly what: string }
    ));

export type Changed = {
  readonly run: RunId;
  readonly step: number;
  readonly attempt: number;
  readonly target: string;
  readonly was: string;
  readonly is: string;
  /** Why, by the set asked about. */
  readonly rules: readonly string[];
};
export type Replayed = {
  readonly decisions: number;
  /** Whose content was deleted. */
  readonly untold: number;
  readonly changed: readonly Changed[];
};

export interface AdministerActivities {
  'decide.administer'(request: Administration): Promise<Administered>;
}
