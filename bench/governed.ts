/** A deployment for measuring: one agent of ten steps with a scripted model, and control, execute and audit workers as they are. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { defineSkill } from '../src/execute/skills/skill.js';
import { parseConfig } from '../src/platform/config/config.js';
import { ensureDevKeys } from '../src/platform/local/dev-keys.js';
import { createLogger } from '../src/platform/logging.js';
import type { TemporalSettings } from '../src/platform/temporal/temporal.js';
import { startWorkers } from '../src/workers/start.js';
import type { Stack } from '../test/stack/stack.js';

/** Five model calls and five skill calls; the last two skill calls are of one turn, side by side. */
export const TURNS = [1, 1, 1, 2, 0] as const;
export const STEPS = TURNS.reduce<number>((sum, skills) => sum + 1 + skills, 0);
export const AGENT = 'bench';

const ANSWER = 'Here is what I do next, in about as many words as a model takes for it. '.repeat(4);
const OUTPUT = 'a line of what the command printed\n'.repeat(20);

const note = defineSkill({
  name: 'bench.note',
  version: '1',
  description: 'Answers with a fixed text of 700 characters.',
  input: z.strictObject({ text: z.string(), turn: z.int() }),
  access: 'write',
  idempotency: 'keyed',
  timeoutMs: 10_000,
  maxOutputBytes: 65_536,
  run: () => Promise.resolve(OUTPUT),
});

export async function startGoverned(stack: Stack, temporal: TemporalSettings): Promise<{ stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'rok-bench-'));
  const { signingKey } = await ensureDevKeys(join(folder, 'keys'));
  const parsed = parseConfig({
    GOVERNANCE_PROFILE: 'STANDARD',
    ROK_SIGNING_KEY: signingKey,
    ...Object.fromEntries(
      Object.entries(stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]),
    ),
    ...(await writeFiles(folder)),
  });
  if (!parsed.ok) throw parsed.error;
  const workers = await startWorkers(['control', 'execute', 'audit'], {
    config: parsed.value,
    temporal,
    log: createLogger({ level: 'error' }),
    extensions: { skills: [note] },
  });
  return {
    async stop() {
      await workers.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @returns the environment that names them */
async function writeFiles(folder: string): Promise<Readonly<Record<string, string>>> {
  const [agents, policies, prices] = [join(folder, 'agents'), join(folder, 'policies'), join(folder, 'prices.json')];
  await mkdir(join(agents, 'scripts'), { recursive: true });
  await mkdir(policies);
  const agent = {
    name: AGENT,
    model: `scripted/${AGENT}`,
    instructions: 'Ten steps, one after the other.',
    skills: [note.name],
    limits: { usd: '1.00', steps: STEPS, modelCalls: TURNS.length, skillCalls: { [note.name]: 5 } },
  };
  const lines = TURNS.map((skills, turn) => ({
    content: ANSWER,
    toolCalls: Array.from({ length: skills }, (_, at) => ({
      name: note.name,
      arguments: { text: `note ${at}`, turn },
    })),
    usage: { inputTokens: 400, outputTokens: 100 },
  }));
  await writeFile(join(agents, `${AGENT}.yaml`), JSON.stringify(agent));
  await writeFile(join(agents, 'scripts', `${AGENT}.jsonl`), lines.map((line) => JSON.stringify(line)).join('\n'));
  await writeFile(join(policies, 'default.cedar'), '@id("agents-may-act")\npermit (principal, action, resource);\n');
  const price = { litellm_provider: 'scripted', input_cost_per_token: 2.5e-7, output_cost_per_token: 2e-6 };
  await writeFile(prices, JSON.stringify({ [agent.model]: price }));
  return { ROK_AGENTS: agents, ROK_POLICIES: policies, ROK_PRICES: prices };
}
