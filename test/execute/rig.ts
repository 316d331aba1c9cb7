/**
 * A database of its own with runs that decide has opened and steps that it has allowed: the rows that decide would have
 * written, in its real tables, so that the executing power can be tested before anything decides.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { parseAgent, type Agent } from '../../src/domain/agent.js';
import { runIdOf, uuidOf, type RunId } from '../../src/domain/ids.js';
import { actionDigest, requestDigest, type Intent } from '../../src/domain/intent.js';
import type { ExecuteDeps, InFlight } from '../../src/execute/deps.js';
import type { ModelProvider } from '../../src/execute/models/model-gateway.js';
import { scriptedProvider } from '../../src/execute/models/scripted.js';
import { builtInSkills, createRegistry } from '../../src/execute/registry.js';
import type { Skill } from '../../src/execute/skills/skill.js';
import { openRedeems } from '../../src/execute/calls/redeems.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';

export const agentsFolder = fileURLToPath(new URL('../../agents', import.meta.url));

export type Rig = {
  readonly stack: Stack;
  /** As the execute worker has it. */
  readonly execute: OpenDatabase;
  readonly logged: object[];
  deps(parts?: RigParts): ExecuteDeps;
  openRun(): Promise<RunId>;
  /** Allows the intent and issues its warrant. */
  allow(run: RunId, intent: Intent, notAfter?: string): Promise<void>;
  close(): Promise<void>;
};
export type RigParts = {
  readonly skills?: readonly Skill[];
  readonly providers?: readonly ModelProvider[];
  readonly agents?: readonly Agent[];
  readonly crashAt?: ExecuteDeps['crashAt'];
};

export async function createRig(): Promise<Rig> {
  const stack = await createStack();
  const execute = await openDatabase(stack.urls.execute, { login: 'execute', applicationName: 'tests' });
  const logged: object[] = [];
  const keep = (fields: object): void => {
    logged.push(fields);
  };
  return {
    stack,
    execute,
    logged,
    deps: ({ skills = [], providers = [], agents = [refundDesk()], crashAt } = {}) => ({
      database: execute,
      redeem: openRedeems(execute),
      registry: createRegistry({
        skills: [...builtInSkills(execute), ...skills],
        providers: [scriptedProvider(`${agentsFolder}/scripts`), ...providers],
      }),
      agents: new Map(agents.map((agent) => [agent.name, agent])),
      log: { info: keep, warn: keep },
      ...(crashAt === undefined ? {} : { crashAt }),
    }),
    openRun: () => openRun(stack),
    allow: (run, intent, notAfter) => allow(stack, run, intent, notAfter),
    async close() {
      await execute.close();
      await stack.drop();
    },
  };
}

export function refundDesk(changes: object = {}): Agent {
  const file = parse(readFileSync(`${agentsFolder}/refund-desk.yaml`, 'utf8')) as object;
  const parsed = parseAgent({ ...file, ...changes });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.agent;
}

/** In flight until `stop` is called; counts the heartbeats. */
export function inFlight(): InFlight & { stop(): void; beats: number } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    beats: 0,
    heartbeat() {
      this.beats += 1;
    },
    stop: () => {
      controller.abort();
    },
  };
}

async function openRun({ admin, urls }: Stack): Promise<RunId> {
  const run = runIdOf(randomUUID());
  const decide = await openDatabase(urls.decide, { login: 'decide', applicationName: 'tests', max: 1 });
  await decide.query(`SELECT audit.declare($1, 'acme', 'refund-desk', 'STANDARD', NULL)`, [uuidOf(run)]);
  await decide.close();
  await admin.query(
    `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, profile, spec_digest, actor, limits,
       contract_digest, run_deadline)
     VALUES ($1, 'acme', 'refund-desk', $2, 'first', 'EXECUTING', 'STANDARD', 'spec', '{}', '{}', 'contract', now() + interval '1 hour')`,
    [uuidOf(run), `rok/acme/${run}`],
  );
  return run;
}

/** What every allowed model call is granted. */
const GRANTED_OUTPUT = 100;

async function allow({ admin }: Stack, run: RunId, intent: Intent, notAfter = '1 minute'): Promise<void> {
  const key = [uuidOf(run), intent.step, intent.attempt];
  await admin.query(
    `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, access, effect, action_digest, request_digest,
       arguments_digest, context_digest, asked_output_tokens, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
     VALUES ($1, $2, $3, $4, $5, $6, 'allow', $7, $8, $9, $10, $11, now() + $12::interval, 's', 'p', 't', '{}')`,
    [
      ...key,
      intent.kind,
      intent.target,
      intent.access ?? null,
      actionDigest(intent),
      requestDigest(intent),
      intent.argumentsDigest,
      intent.contextDigest,
      intent.askedOutputTokens ?? null,
      notAfter,
    ],
  );
  await admin.query(
    `INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, granted_output)
     VALUES ($1, $2, $3, 1, 'issued', $4, now() + $5::interval, $6)`,
    [...key, actionDigest(intent), notAfter, intent.kind === 'model.call' ? GRANTED_OUTPUT : null],
  );
}
