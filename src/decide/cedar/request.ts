/**
 * Builds a Cedar request from an intent and its snapshot, with the facts that the policies read. Money is in micro-USD,
 * as far as a number is exact. Argument values come from a model: a value that Cedar would take for an entity or an
 * extension is refused.
 */
import type { CedarValueJson, EntityUidJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Intent } from '../../domain/intent.js';
import type { Json } from '../../domain/json.js';
import type { CedarRequest } from './prepared-set.js';
import type { Uses } from './facts-read.js';
import { skillName } from '../checks/limits.js';
import type { Snapshot } from '../snapshot.js';

type Context = Record<string, CedarValueJson>;

export function cedarRequest(intent: Intent, snapshot: Snapshot, uses: Uses): CedarRequest {
  const { run } = snapshot;
  const principal = { type: 'Agent', id: `${run.tenant}/${run.agent}` };
  const tenant = { type: 'Tenant', id: run.tenant };
  return {
    principal,
    action: { type: 'Action', id: intent.kind },
    resource: resourceOf(intent),
    context: read(intent, snapshot, uses.context),
    entities: uses.entities
      ? [
          { uid: principal, attrs: { name: run.agent }, parents: [tenant] },
          { uid: tenant, attrs: {}, parents: [] },
        ]
      : [],
  };
}

function resourceOf(intent: Intent): EntityUidJson {
  if (intent.kind === 'model.call') return { type: 'Model', id: intent.target };
  if (intent.kind === 'skill.call') return { type: 'Skill', id: skillName(intent.target) };
  if (intent.kind === 'agent.delegate') return { type: 'Agent', id: intent.target };
  return { type: 'Run', id: intent.target };
}

/** Every fact by name, made only when it is asked for. decide/policies/schema.ts gives their types. */
const FACTS: Readonly<Record<string, (intent: Intent, snapshot: Snapshot) => Json>> = {
  arguments: (_intent, snapshot) => snapshot.arguments ?? {},
  access: (intent) => intent.access ?? '',
  attempt: (intent) => intent.attempt,
  counters: (_intent, { counters }) => ({ ...counters }),
  approvals: (_intent, snapshot) => [...snapshot.approvals],
  spentMicros: (_intent, { budget }) => exact(budget.spentMicros),
  capMicros: (_intent, { budget }) => exact(budget.capMicros),
  profile: (_intent, { run }) => run.profile,
  outcome: (_intent, { run }) => run.outcome ?? '',
  actor: (_intent, { run }) => ({ name: run.actor.name, roles: [...run.actor.roles] }),
  labels: (_intent, { run }) => ({ ...run.labels }),
  nowMs: (_intent, snapshot) => snapshot.nowMs,
};

/** Facts that a run's row and the request say before anything else is read; of the counters, those that no settling moves. */
const OF_THE_ROW: Readonly<Record<string, readonly string[] | 'all'>> = {
  arguments: 'all',
  access: 'all',
  attempt: 'all',
  counters: ['steps', 'modelCalls', 'skillCalls', 'denials'],
  profile: 'all',
  outcome: 'all',
  actor: 'all',
  labels: 'all',
};

/** Whether a request with these facts can be told from the row alone. */
export const isOfTheRow = ({ context }: Uses): boolean =>
  context !== 'all' &&
  [...context].every(([name, parts]) => {
    const said = OF_THE_ROW[name];
    return said === 'all' || (said !== undefined && parts !== 'all' && [...parts].every((part) => said.includes(part)));
  });

function read(intent: Intent, snapshot: Snapshot, uses: Uses['context']): Context {
  const context: Context = {};
  for (const [name, fact] of Object.entries(FACTS)) {
    const parts = uses === 'all' ? 'all' : uses.get(name);
    if (parts === undefined) continue;
    const value = cedarValue(only(fact(intent, snapshot), parts));
    if (value !== undefined) context[name] = value;
  }
  return context;
}

function only(value: Json, parts: ReadonlySet<string> | 'all'): Json {
  if (parts === 'all' || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => parts.has(name)));
}

/** A cap may be beyond what a number says exactly; then it is at least this much. */
const exact = (micros: string): number => Math.min(Number(micros), Number.MAX_SAFE_INTEGER);

/** Cedar's own words for an entity, an extension's value and an expression. */
const ESCAPES = ['__entity', '__extn', '__expr'];

/** JSON → Cedar; null has no Cedar value and is left out. */
function cedarValue(value: Json): CedarValueJson | undefined {
  if (value === null) return undefined;
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(cedarValue).filter((item): item is CedarValueJson => item !== undefined);
  const record: Context = {};
  for (const [key, item] of Object.entries(value)) {
    if (ESCAPES.includes(key)) throw new TypeError(`a value has the reserved name \`${key}\``);
    const inner = cedarValue(item);
    if (inner !== undefined) record[key] = inner;
  }
  return record;
}
