/**
 * The files of a deployment: an agent whose model is a real HTTP server, with prices that make sums easy to check, and one
 * that says a single recorded line, for runs that no fault should befall. One more is refused by its model, and one may not
 * start at all.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenAiAnswer } from '../execute/openai-server.js';

export const MAX_OUTPUT_TOKENS = 500;
/** In micro-USD, which is per token what LiteLLM's table says per million. */
export const PRICE = { input: 1, output: 2 } as const;

const AGENT = `name: clerk
model: openai/clerk-model
instructions: You answer questions about orders. Look each order up.
maxOutputTokens: ${MAX_OUTPUT_TOKENS}
skills: [orders.lookup]
limits: { usd: '0.50', steps: 20, wallTime: 1h }
policies: [default]
`;
const GREETER = `name: greeter
model: scripted/greeter
instructions: You greet.
policies: [default]
`;
const STUMBLER = GREETER.replaceAll('greeter', 'stumbler');
const OUTCAST = GREETER.replaceAll('greeter', 'outcast').replace('scripted/outcast', 'scripted/greeter');
const GREETING = { content: 'Good morning.', usage: { inputTokens: 10, outputTokens: 5 } };
const POLICY = `@id("agents-may-act")
permit (principal, action, resource);

@id("outcasts-may-not")
@reason("nobody may start an outcast")
forbid (principal, action == Action::"run.start", resource) when { principal == Agent::"harmed/outcast" };
`;
const PRICES = {
  'openai/clerk-model': { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 },
  'scripted/greeter': { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 },
  'scripted/stumbler': { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 },
};

/** @returns what the workers' environment must name */
export async function writeDeployment(folder: string): Promise<NodeJS.ProcessEnv> {
  const [agents, policies, prices] = ['agents', 'policies', 'prices.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await Promise.all([mkdir(join(agents, 'scripts'), { recursive: true }), mkdir(policies)]);
  await Promise.all([
    writeFile(join(agents, 'clerk.yaml'), AGENT),
    writeFile(join(agents, 'greeter.yaml'), GREETER),
    writeFile(join(agents, 'stumbler.yaml'), STUMBLER),
    writeFile(join(agents, 'outcast.yaml'), OUTCAST),
    writeFile(join(agents, 'scripts', 'greeter.jsonl'), JSON.stringify(GREETING)),
    writeFile(join(agents, 'scripts', 'stumbler.jsonl'), JSON.stringify({ ...GREETING, fault: 'refused' })),
    writeFile(join(policies, 'default.cedar'), POLICY),
    writeFile(prices, JSON.stringify(PRICES)),
  ]);
  return { ROK_AGENTS: agents, ROK_POLICIES: policies, ROK_PRICES: prices };
}

/** What the model says in a whole run: a lookup, a second one, an answer. 140, 160 and 160 micro-USD. */
export const CONVERSATION = [
  {
    toolCalls: [{ name: 'orders.lookup', arguments: { order: 'A-1001' } }],
    usage: { inputTokens: 100, outputTokens: 20 },
  },
  {
    toolCalls: [{ name: 'orders.lookup', arguments: { order: 'A-1002' } }],
    usage: { inputTokens: 120, outputTokens: 20 },
  },
  { content: 'Both orders are there.', usage: { inputTokens: 140, outputTokens: 10 } },
] as const satisfies readonly OpenAiAnswer[];

/** The same, but the model does not answer its first question when it is asked for the first time. */
export const HANGS_AT_FIRST: readonly OpenAiAnswer[] = CONVERSATION.map((answer, turn) =>
  turn === 0 ? { ...answer, fault: 'hang' } : answer,
);
/** The same, but the model never answers. */
export const HANGS: readonly OpenAiAnswer[] = [{ fault: 'hang', faultTimes: 1_000 }];
