/** Agents, policies and prices of a test, written to its folder: scripted models, each with one way to behave. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type ScriptedAgent = {
  /** One answer of the model per line; a call is the skill's name with its arguments. */
  readonly turns: readonly {
    readonly calls?: readonly (readonly [string, object])[];
    readonly latencyMs?: number;
  }[];
  readonly policies?: readonly string[];
  readonly skills?: readonly string[];
  readonly limits?: object;
};

/** Every model costs a micro-USD a token. @param policies files by name, such as `default.cedar` */
export async function deploymentIn(
  folder: string,
  agents: Readonly<Record<string, ScriptedAgent>>,
  policies: Readonly<Record<string, string>>,
): Promise<NodeJS.ProcessEnv> {
  const scripts = join(folder, 'agents', 'scripts');
  await mkdir(scripts, { recursive: true });
  const prices: Record<string, object> = {};
  for (const [name, { turns, policies: files = ['default'], skills = [], limits = {} }] of Object.entries(agents)) {
    const lines = turns.map(({ calls = [], latencyMs }) => ({
      content: calls.length === 0 ? 'done' : 'next',
      toolCalls: calls.map(([skill, given]) => ({ name: skill, arguments: given })),
      finishReason: calls.length === 0 ? 'stop' : 'tool-calls',
      usage: { inputTokens: 10, outputTokens: 5 },
      ...(latencyMs === undefined ? {} : { latencyMs }),
    }));
    await writeFile(join(scripts, `${name}.jsonl`), lines.map((line) => JSON.stringify(line)).join('\n'));
    const file = {
      name,
      model: `scripted/${name}`,
      instructions: 'go on',
      maxOutputTokens: 100,
      skills: ['orders.lookup', 'orders.refund', ...skills],
      policies: files,
      limits,
    };
    await writeFile(join(folder, 'agents', `${name}.yaml`), JSON.stringify(file));
    prices[`scripted/${name}`] = { input_cost_per_token: 1e-6, output_cost_per_token: 1e-6 };
  }
  await writeFile(join(folder, 'prices.json'), JSON.stringify(prices));
  return {
    ROK_AGENTS: join(folder, 'agents'),
    ROK_PRICES: join(folder, 'prices.json'),
    ROK_POLICIES: await policiesIn(join(folder, 'policies'), policies),
  };
}

/** @returns the folder */
export async function policiesIn(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

export const look = (order = 'A-1001'): readonly [string, object] => ['orders.lookup', { order }];
export const refund = (cents: number): readonly [string, object] => [
  'orders.refund',
  { order: 'A-1001', amount_cents: cents, reason: 'it came broken' },
];
