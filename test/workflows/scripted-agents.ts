/** Agents whose free models replay a script, beside the shipped ones, with policies of their own: a deployment in a folder. */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type ScriptedAgent = {
  readonly turns: readonly object[];
  readonly policies?: readonly string[];
  readonly skills?: readonly string[];
};

/** One answer of a model; without calls it is the last. */
export const turn = (toolCalls: readonly object[]) => ({
  content: toolCalls.length === 0 ? 'done' : 'next',
  toolCalls,
  finishReason: toolCalls.length === 0 ? 'stop' : 'tool-calls',
  usage: { inputTokens: 10, outputTokens: 5 },
});
export const call = (name: string, args: object) => ({ name, arguments: args });

/** @param policies text by file name, beside the shipped ones */
export async function deployAgents(
  folder: string,
  scripted: Readonly<Record<string, ScriptedAgent>>,
  policies: Readonly<Record<string, string>> = {},
): Promise<NodeJS.ProcessEnv> {
  const root = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const at = {
    agents: join(folder, 'agents'),
    policies: join(folder, 'policies'),
    prices: join(folder, 'prices.json'),
  };
  await cp(root('agents'), at.agents, { recursive: true });
  await cp(root('policies'), at.policies, { recursive: true });
  for (const [name, text] of Object.entries(policies)) await writeFile(join(at.policies, `${name}.cedar`), text);
  const free = { input_cost_per_token: 0, output_cost_per_token: 0 };
  const models = [...Object.keys(scripted), 'refund-desk'].map((name) => [`scripted/${name}`, free] as const);
  await writeFile(at.prices, JSON.stringify(Object.fromEntries(models)));
  for (const [name, agent] of Object.entries(scripted)) {
    const lines = agent.turns.map((one) => JSON.stringify(one)).join('\n');
    await writeFile(join(at.agents, 'scripts', `${name}.jsonl`), lines);
    const file = {
      name,
      model: `scripted/${name}`,
      instructions: 'go on',
      skills: agent.skills ?? ['orders.lookup', 'orders.refund'],
      policies: agent.policies ?? ['default'],
    };
    await writeFile(join(at.agents, `${name}.yaml`), JSON.stringify(file));
  }
  return { ROK_AGENTS: at.agents, ROK_POLICIES: at.policies, ROK_PRICES: at.prices };
}
