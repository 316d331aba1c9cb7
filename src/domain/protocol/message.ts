/**
 * Parses a message from an actor to a run, whatever was received. Validators in workflow code use it too, so it is
 * written by hand: total, without a clock, and the same for every way in. Whether the actor may is decided elsewhere
 * (decide/actors/access.ts).
 */
import type { ActorClaim } from '../actor.js';
import { digest, DIGEST_TAGS } from '../digest.js';
import { isDigest, type Digest } from '../ids.js';
import { isStorable, storable } from '../text.js';
import { FATES, type ActRequest, type ActorVerb, type Fate } from './decide.js';
import { parseRaise, raiseDigest } from './raise.js';

/** Limits on what a message may carry. An id is counted in UTF-16 units. */
export const MESSAGE_BOUNDS = {
  idChars: 256,
  reasonChars: 2_000,
  assertionChars: 8_192,
  nameChars: 128,
  roles: 16,
  roleChars: 64,
  /** What an integer column holds. */
  hold: 2 ** 31 - 1,
} as const;

/** A message of the right form; whether it counts is decided. */
export type Message = Omit<ActRequest, 'run'>;
export type ReadMessage =
  { readonly ok: true; readonly message: Message } | { readonly ok: false; readonly problem: string };

const RAISE = ['scope', 'subject', 'unit', 'window', 'from', 'to'];
const FIELDS: Readonly<Record<ActorVerb, readonly string[]>> = {
  pause: ['actor', 'reason'],
  resume: ['actor', 'reason', 'was'],
  cancel: ['actor', 'reason'],
  kill: ['actor', 'reason'],
  finalize: ['actor', 'reason'],
  approve: ['actor', 'reason', 'hold', 'digest'],
  reject: ['actor', 'reason', 'hold', 'digest'],
  raise_budget: ['actor', 'reason', ...RAISE],
};

/** Names events of a message, whatever its id is made of. */
export const messageDigest = (updateId: string): Digest => digest(DIGEST_TAGS.message, updateId);

/** What an assertion of who looked binds to, as its `action`: it serves for no other answer. */
export const fateDigest = (was: Fate): Digest => digest(DIGEST_TAGS.fate, was);
/** What an assertion for a message must be bound to; undefined where the verb alone says it. */
export const actionOf = ({
  digest: action,
  raise,
  was,
}: Pick<Message, 'digest' | 'raise' | 'was'>): Digest | undefined =>
  raise !== undefined ? raiseDigest(raise) : was !== undefined ? fateDigest(was) : action;

/** Total: any id and any value in, a message or the first problem out. */
export function readMessage(verb: ActorVerb, updateId: unknown, value: unknown): ReadMessage {
  if (!isMessageId(updateId))
    return no(`an update id is text of 1 to ${MESSAGE_BOUNDS.idChars} characters, without NUL or half a character`);
  if (!isObject(value)) return no('a message is an object');
  const strange = Object.keys(value).find((key) => !FIELDS[verb].includes(key));
  if (strange !== undefined) return no(`\`${storable(strange, 64)}\` is not a field of ${verb}`);
  const { actor, reason, hold, digest: action, was } = value as Partial<Record<string, unknown>>;
  if (!isClaim(actor)) return no('an actor is needed: { assertion } or { local, roles? }');
  if (verb === 'raise_budget') {
    const parsed = parseRaise(value);
    return parsed.ok
      ? { ok: true, message: { verb, updateId, claim: actor, raise: parsed.raise } }
      : no(parsed.problem);
  }
  if (reason !== undefined && !isText(reason, MESSAGE_BOUNDS.reasonChars))
    return no(`a reason is text of at most ${MESSAGE_BOUNDS.reasonChars} characters`);
  const said = { verb, updateId, claim: actor, ...(reason === undefined ? {} : { reason }) };
  if (verb === 'resume' && was !== undefined) {
    const fate = FATES.find((one) => one === was);
    return fate === undefined ? no('`was` is `done` or `not_done`') : { ok: true, message: { ...said, was: fate } };
  }
  if (verb !== 'approve' && verb !== 'reject') return { ok: true, message: said };
  if (!isHold(hold)) return no('a hold is named by its number');
  if (typeof action !== 'string' || !isDigest(action))
    return no('an answer names the digest of the action that is held');
  return { ok: true, message: { ...said, hold, digest: action } };
}

const no = (problem: string): ReadMessage => ({ ok: false, problem });

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown, maxChars: number): value is string =>
  typeof value === 'string' && value.length <= maxChars && isStorable(value);
export const isMessageId = (value: unknown): value is string => value !== '' && isText(value, MESSAGE_BOUNDS.idChars);
export const isHold = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MESSAGE_BOUNDS.hold;

/** The same as the parser of a spec takes (domain/run-spec.ts). */
function isClaim(value: unknown): value is ActorClaim {
  if (!isObject(value)) return false;
  const { assertion, local, roles } = value as Partial<Record<string, unknown>>;
  const only = (...fields: readonly string[]): boolean => Object.keys(value).every((key) => fields.includes(key));
  if (assertion !== undefined) return only('assertion') && isText(assertion, MESSAGE_BOUNDS.assertionChars);
  return (
    only('local', 'roles') &&
    local !== '' &&
    isText(local, MESSAGE_BOUNDS.nameChars) &&
    (roles === undefined ||
      (Array.isArray(roles) &&
        roles.length <= MESSAGE_BOUNDS.roles &&
        [...(roles as readonly unknown[])].every((role) => isText(role, MESSAGE_BOUNDS.roleChars))))
  );
}
