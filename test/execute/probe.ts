/**
 * A skill and a model that tell when they are called, an agent that has both, and the intents to call them by: for tests of
 * the warrant.
 */
import { z } from 'zod';
import { NO_CONTEXT, type ContextRef } from '../../src/domain/context.js';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import { actionDigest, modelSettingsDigest, type Intent } from '../../src/domain/intent.js';
import type { ExecuteStep } from '../../src/domain/protocol/execute.js';
import { contentOf, loadSalt, putContents } from '../../src/execute/content/content-store.js';
import type { ExecuteDeps } from '../../src/execute/deps.js';
import type { ModelProvider } from '../../src/execute/models/model-gateway.js';
import { prepare } from '../../src/execute/content/prepare.js';
import { defineSkill } from '../../src/execute/skills/skill.js';
import { refundDesk, type Rig } from './rig.js';

/** Every call that really happened, of any kind, and what the next ones do. */
export const seen: { calls: string[]; behave: (signal: AbortSignal) => Promise<unknown> } = {
  calls: [],
  behave: () => Promise.resolve(),
};

const skill = defineSkill({
  name: 'probe',
  version: '3',
  description: 'a skill that tells that it was called',
  input: z.strictObject({ n: z.int() }),
  access: 'write',
  idempotency: 'none',
  timeoutMs: 2_000,
  maxOutputBytes: 200,
  async run({ n }, { signal, idempotencyKey }) {
    seen.calls.push(`skill ${n} ${idempotencyKey.slice(idempotencyKey.indexOf('/'))}`);
    await seen.behave(signal);
    return { n };
  },
});
const model: ModelProvider = {
  id: 'echo',
  async call(request, { signal }) {
    seen.calls.push(`model ${request.model} ${request.maxOutputTokens}`);
    await seen.behave(signal);
    const usage = { inputTokens: 3, outputTokens: 2, cachedInputTokens: 1, reasoningTokens: 0, reported: true };
    const toolCalls = [
      { id: 'same', name: 'probe', argumentsText: '{"n": 1}' },
      { id: 'same', name: 'probe', argumentsText: '{"n": 0.5}' },
    ];
    return { text: 'ok', toolCalls, usage, finishReason: 'tool-calls', reportedModel: 'echo-1' };
  },
};
const agent = refundDesk({ name: 'prober', model: 'echo/one', skills: ['probe'] });

export const probeDeps = (rig: Rig, crashAt?: ExecuteDeps['crashAt']): ExecuteDeps =>
  rig.deps({ skills: [skill], providers: [model], agents: [agent], ...(crashAt === undefined ? {} : { crashAt }) });

/** A prepared run with stored arguments, and what asks for its steps. */
export async function probeRun(rig: Rig) {
  seen.calls.length = 0;
  seen.behave = () => Promise.resolve();
  const run: RunId = await rig.openRun();
  const opened = { run, agent: agent.name, agentDigest: agent.digest };
  const { contextDigest } = await prepare(probeDeps(rig), { ...opened, input: 'go' });
  const content = contentOf(await loadSalt(rig.execute, run), 'arguments', '{"n":7}');
  await putContents(rig.execute, run, [content]);
  const call = { step: 1, attempt: 1 } as const;
  const skillIntent = (changes: Partial<Intent> = {}): Intent => ({
    ...call,
    kind: 'skill.call',
    target: 'probe@3',
    argumentsDigest: content.digest,
    contextDigest: NO_CONTEXT,
    access: 'write',
    ...changes,
  });
  const modelIntent = (changes: Partial<Intent> = {}): Intent => ({
    ...call,
    kind: 'model.call',
    target: 'echo/one',
    argumentsDigest: modelSettingsDigest(agent.digest),
    contextDigest,
    askedOutputTokens: 500,
    ...changes,
  });
  const context: ContextRef = { base: contextDigest, added: [] };
  const stepOf = (intent: Intent): ExecuteStep => ({
    ...opened,
    tenant: 'acme',
    intent,
    actionDigest: actionDigest(intent),
    grant: { outputTokens: 100, notAfter: '2030-01-01T00:00:00Z' as never },
    ...(intent.kind === 'model.call' ? { context } : {}),
  });
  const rows = (table: 'attempts' | 'results') =>
    rig.stack.admin.query(`SELECT * FROM execute.${table} WHERE run_id = $1`, [uuidOf(run)]);
  return { run, contextDigest: contextDigest satisfies Digest, skillIntent, modelIntent, stepOf, rows };
}
export type ProbeRun = Awaited<ReturnType<typeof probeRun>>;
