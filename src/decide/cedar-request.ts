/** An intent and its snapshot as a Cedar request. Money is in micro-USD where it fits a Cedar long. */
import type { CedarValueJson, EntityJson, EntityUidJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Intent } from '../domain/intent.js';
import type { Json } from '../domain/json.js';
import { skillName } from './checks/limits.js';
import type { Snapshot } from './snapshot.js';

export type CedarRequest = {
  readonly principal: EntityUidJson;
  readonly action: EntityUidJson;
  readonly resource: EntityUidJson;
  readonly context: Record<string, CedarValueJson>;
  readonly entities: EntityJson[];
};

export function cedarRequest(intent: Intent, snapshot: Snapshot): CedarRequest {
  const { run, counters } = snapshot;
  const principal = { type: 'Agent', id: `${run.tenant}/${run.agent}` };
  const tenant = { type: 'Tenant', id: run.tenant };
  return {
    principal,
    action: { type: 'Action', id: intent.kind },
    resource: resourceOf(intent),
    context: {
      arguments: cedarValue(snapshot.arguments) ?? {},
      access: intent.access ?? '',
      attempt: intent.attempt,
      counters: {
        steps: counters.steps,
        modelCalls: counters.modelCalls,
        skillCalls: { ...counters.skillCalls },
        succeeded: { ...counters.succeeded },
        denials: counters.denials,
      },
      spentMicros: Number(snapshot.budget.spentMicros),
      capMicros: Number(snapshot.budget.capMicros),
      profile: run.profile,
      outcome: run.outcome ?? '',
      actor: { name: run.actor.name, roles: [...run.actor.roles] },
      labels: { ...run.labels },
      nowMs: snapshot.nowMs,
    },
    entities: [
      { uid: principal, attrs: { name: run.agent }, parents: [tenant] },
      { uid: tenant, attrs: {}, parents: [] },
    ],
  };
}

function resourceOf(intent: Intent): EntityUidJson {
  if (intent.kind === 'model.call') return { type: 'Model', id: intent.target };
  if (intent.kind === 'skill.call') return { type: 'Skill', id: skillName(intent.target) };
  if (intent.kind === 'agent.delegate') return { type: 'Agent', id: intent.target };
  return { type: 'Run', id: intent.target };
}

/** JSON → Cedar; null has no Cedar value and is left out. */
function cedarValue(value: Json): CedarValueJson | undefined {
  if (value === null) return undefined;
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(cedarValue).filter((item): item is CedarValueJson => item !== undefined);
  const entries = Object.entries(value).map(([key, item]) => [key, cedarValue(item)] as const);
  return Object.fromEntries(
    entries.filter((entry): entry is readonly [string, CedarValueJson] => entry[1] !== undefined),
  );
}
