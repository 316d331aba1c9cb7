/**
 * A run whose model is a real HTTP server that speaks OpenAI's protocol: what its own log counts against what ROK reserved,
 * attempted and charged. The cap is so tight that every grant is smaller than what the agent asks for.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uuidOf } from '../../src/domain/ids.js';
import type { RunResult } from '../../src/workflows/messages/messages.js';
import { startReplays } from '../corpus/governed-replays.js';
import { fixtureData, readPriceRows, readRecordings, TABLES, type Recording } from '../corpus/recording.js';
import { replayOf, SKILL } from '../corpus/replay.js';
import { startOpenAiServer, type OpenAiAnswer, type OpenAiBody, type OpenAiServer } from '../execute/openai-server.js';
import { createStack, type Stack } from '../stack/stack.js';

const MODEL = 'openai/gpt-5-mini';
const ASKED = 4_096;

/** Of one call, in whole micro-USD: 0.25 a token, 0.025 a cached one, 2 an answered one, rounded up. */
const microsOf = ({ usage }: Recording['steps'][number]): number =>
  Math.ceil(
    ((usage.prompt_tokens - usage.cached_tokens) * 250 + usage.cached_tokens * 25 + usage.completion_tokens * 2_000) /
      1_000,
  );

describe('a run on an OpenAI-compatible server', () => {
  let stack: Stack;
  let server: OpenAiServer;
  let folder: string;
  let recording: Recording;
  let result: RunResult;

  beforeAll(async () => {
    const [first] = await readRecordings(fixtureData);
    if (first === undefined) throw new Error('the fixture is empty');
    recording = first;
    const rows = await readPriceRows(fixtureData, TABLES.recorded);
    const replay = replayOf(recording, rows);
    const limits = replay.agent['limits'] as Readonly<Record<string, unknown>>;
    const agent = { ...replay.agent, model: MODEL, maxOutputTokens: ASKED, limits: { ...limits, usd: '0.008' } };
    folder = await mkdtemp(join(tmpdir(), 'rok-http-model-'));
    const answers = replay.script
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as OpenAiAnswer);
    // The script's finish reason is the recorded agent's, which had no tools.
    server = await startOpenAiServer({
      answers: answers.map(({ finishReason: _recorded, ...answer }) => answer),
      logFile: join(folder, 'requests.jsonl'),
    });
    stack = await createStack();
    const env = { OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: 'test' };
    const governed = await startReplays(stack, [{ ...replay, model: MODEL, agent }], rows, env);
    try {
      result = await governed.run(replay);
    } finally {
      await governed.stop();
    }
  }, 60_000);

  afterAll(async () => {
    await server.close();
    await stack.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const requests = (): readonly OpenAiBody[] =>
    server.log().flatMap(({ event, body }) => (event === 'request' && body !== undefined ? [body] : []));
  const modelCalls = () =>
    stack.admin.query<{ grant: number; spent: bigint; cost: string; tokens: bigint; model: string }>(
      `SELECT (d.body #>> '{grant,outputTokens}')::int AS grant, w.spent_micros AS spent, w.cost_usd::text AS cost,
         w.tokens, r.reported_model AS model
       FROM execute.attempts t JOIN decide.decisions d USING (run_id, step, attempt)
       JOIN decide.v_reservations w USING (run_id, step, attempt) JOIN execute.results r USING (run_id, step, attempt)
       WHERE run_id = $1 AND d.kind = 'model.call' ORDER BY step`,
      [uuidOf(result.run)],
    );

  it('ends succeeded and COMPLETE', () => {
    expect(result).toMatchObject({ detail: '', outcome: 'succeeded', phase: 'COMPLETED', verdict: 'COMPLETE' });
  });

  it('was asked once for each attempt, by its own log', async () => {
    expect(requests()).toHaveLength(recording.steps.length);
    expect(await modelCalls()).toHaveLength(recording.steps.length);
    expect(server.log().filter(({ event }) => event === 'answer')).toHaveLength(recording.steps.length);
    expect(requests().map((body) => [body.model, body.tools?.map((tool) => tool.function.name)])).toEqual(
      recording.steps.map(() => ['gpt-5-mini', [SKILL.replace('.', '_')]]),
    );
  });

  it('was sent each grant as its output limit, smaller than what was asked for', async () => {
    const grants = (await modelCalls()).map(({ grant }) => grant);
    expect(requests().map((body) => body.max_tokens)).toEqual(grants);
    expect(grants.filter((grant) => grant < 64 || grant >= ASKED)).toEqual([]);
    expect(new Set(grants).size).toBeGreaterThan(1);
  });

  it('was paid to the micro: every call by its own usage, and the run their sum', async () => {
    const expected = recording.steps.map((step) => ({
      spent: BigInt(microsOf(step)),
      tokens: BigInt(step.usage.prompt_tokens + step.usage.completion_tokens),
      model: 'gpt-5-mini',
    }));
    expect((await modelCalls()).map(({ spent, tokens, model }) => ({ spent, tokens, model }))).toEqual(expected);
    const sum = expected.reduce((total, { spent }) => total + spent, 0n);
    expect(result.spentMicros).toBe(`${sum}`);
    expect(
      await stack.admin.query(
        `SELECT spent, reserved, over FROM decide.accounts WHERE subject = $1 AND unit = 'usd_micros'`,
        [uuidOf(result.run)],
      ),
    ).toEqual([{ spent: sum, reserved: 0n, over: 0n }]);
  });
});
