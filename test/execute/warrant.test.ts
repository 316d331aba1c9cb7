import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RokError } from '../../src/domain/errors.js';
import { uuidOf, type Digest } from '../../src/domain/ids.js';
import { actionDigest } from '../../src/domain/intent.js';
import type { CrashPoint, ExecuteDeps } from '../../src/execute/deps.js';
import { openRedeems } from '../../src/execute/calls/redeems.js';
import { runStep } from '../../src/execute/run-runner.js';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { probeDeps, probeRun, seen, type ProbeRun } from './probe.js';
import { createRig, inFlight, type Rig } from './rig.js';

let rig: Rig;
let on: ProbeRun;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.close());
beforeEach(async () => {
  rig.logged.length = 0;
  on = await probeRun(rig);
});

describe('a call under its warrant', () => {
  it('runs a skill once, stores its output and one result row', async () => {
    await rig.allow(on.run, on.skillIntent());
    const { result, resultDigest, model } = await runStep(probeDeps(rig), on.stepOf(on.skillIntent()), inFlight());
    expect(seen.calls).toEqual(['skill 7 /1/1']);
    expect(model).toBeUndefined();
    const [row] = await on.rows('results');
    expect(row).toMatchObject({ status: 'succeeded', digest: resultDigest, usage_reported: true, input_tokens: 0n });
    expect(result).toMatchObject({ status: 'succeeded', contentDigest: row?.['content_digest'] });
    expect(await on.rows('attempts')).toMatchObject([
      { action_digest: actionDigest(on.skillIntent()), effect: 'allow' },
    ]);
  });

  it('asks a model within the grant, and checks each skill call of its answer', async () => {
    await rig.allow(on.run, on.modelIntent());
    const step = on.stepOf(on.modelIntent());
    const { result, model } = await runStep(probeDeps(rig), step, inFlight());
    expect(seen.calls).toEqual(['model one 100']);
    expect(result).toMatchObject({ status: 'succeeded', usage: { inputTokens: 3, outputTokens: 2 } });
    expect(model?.entry).toEqual({ role: 'assistant', content: (result as { contentDigest: Digest }).contentDigest });
    expect(model?.toolCalls).toMatchObject([
      { callId: 'same', skill: 'probe', target: 'probe@3', access: 'write', repeatable: false },
      { callId: 'call_2', skill: 'probe', malformed: model?.toolCalls[1]?.argumentsDigest },
    ]);
    expect(await on.rows('results')).toMatchObject([
      { reported_model: 'echo-1', finish_reason: 'tool-calls', output_tokens: 2n },
    ]);
    const [told] = await rig.stack.admin.query<{ text: string }>(
      `SELECT convert_from(bytes, 'UTF8') AS text FROM execute.contents WHERE run_id = $1 AND kind = 'malformed'`,
      [uuidOf(on.run)],
    );
    expect(told?.text).toContain('n: Invalid input: expected int');
  });

  it.each([
    ['more', 4_000],
    ['nothing', undefined],
    ['less', 7],
  ])(
    'tells a model the limit that the database granted, where what came with the activity says %s',
    async (_, says) => {
      await rig.allow(on.run, on.modelIntent());
      const step = on.stepOf(on.modelIntent());
      const { outputTokens: _told, ...grant } = step.grant;
      const forged = { ...step, grant: says === undefined ? grant : { ...grant, outputTokens: says } };
      await runStep(probeDeps(rig), forged, inFlight());
      expect(seen.calls).toEqual(['model one 100']);
    },
  );

  it.each<readonly [string, (signal: AbortSignal) => Promise<unknown>, object]>([
    [
      'certainly nothing',
      () => Promise.reject(new RokError('skill_failed', 'x')),
      { status: 'failed', code: 'skill_failed' },
    ],
    ['who knows', () => Promise.reject(new Error('secret')), { status: 'unknown', cause: 'error Error' }],
    ['never comes back', () => new Promise(() => undefined), { status: 'unknown', cause: 'timed out' }],
  ])('writes how a call ended that did not succeed: %s', async (_, behaviour, expected) => {
    seen.behave = behaviour;
    await rig.allow(on.run, on.skillIntent());
    const answer = await runStep(probeDeps(rig), on.stepOf(on.skillIntent()), inFlight());
    expect(answer.result).toEqual(expected);
    expect(await on.rows('results')).toMatchObject([{ ...expected, digest: answer.resultDigest }]);
    expect(JSON.stringify(rig.logged)).not.toContain('secret');
  });

  it('lets go of a call in flight when it is told to stop', async () => {
    await rig.allow(on.run, on.skillIntent());
    const flight = inFlight();
    seen.behave = () => {
      flight.stop();
      return new Promise(() => undefined);
    };
    const { result } = await runStep(probeDeps(rig), on.stepOf(on.skillIntent()), flight);
    expect(result).toEqual({ status: 'unknown', cause: 'aborted' });
  });

  it('answers with the row that stands when it was fenced meanwhile', async () => {
    await rig.allow(on.run, on.skillIntent());
    const decide = await openDatabase(rig.stack.urls.decide, { login: 'decide', applicationName: 'tests', max: 1 });
    seen.behave = () => decide.query('SELECT execute.fence($1, 1, 1)', [uuidOf(on.run)]);
    const answer = await runStep(probeDeps(rig), on.stepOf(on.skillIntent()), inFlight());
    const fencedAgain = await decide.query('SELECT execute.fence($1, 1, 1) AS status', [uuidOf(on.run)]);
    await decide.close();
    expect(answer.result).toEqual({ status: 'unknown', cause: 'fenced' });
    expect(await on.rows('results')).toMatchObject([
      { status: 'unknown', cause: 'fenced', digest: answer.resultDigest },
    ]);
    expect(fencedAgain).toEqual([{ status: 'unknown' }]);
  });
});

describe('crash points', () => {
  it('are passed in order', async () => {
    const points: CrashPoint[] = [];
    await rig.allow(on.run, on.skillIntent());
    await runStep(
      probeDeps(rig, (point) => points.push(point)),
      on.stepOf(on.skillIntent()),
      inFlight(),
    );
    expect(points).toEqual([
      'redeem.before',
      'redeem.after',
      'call.before',
      'call.after',
      'result.before',
      'result.after',
    ]);
  });
});

describe('connections that break', () => {
  it('a redeem whose answer was lost is asked again with the same nonce, and let through', async () => {
    await rig.allow(on.run, on.skillIntent());
    let lost = 0;
    const deps = probeDeps(rig);
    const database: ExecuteDeps['database'] = {
      ...deps.database,
      until: () => database,
      query: async (text, values) => {
        const answer = await deps.database.query(text, values);
        if (!text.includes('decide.redeem') || lost > 0) return answer as never;
        lost += 1;
        throw Object.assign(new Error('Connection terminated unexpectedly'), {});
      },
    };
    const { result } = await runStep(
      { ...deps, database, redeem: openRedeems(database) },
      on.stepOf(on.skillIntent()),
      inFlight(),
    );
    expect([lost, result.status, seen.calls]).toEqual([1, 'succeeded', ['skill 7 /1/1']]);
    expect(await on.rows('attempts')).toHaveLength(1);
  });

  it('a result whose commit was lost on its way back is written once', async () => {
    await rig.allow(on.run, on.skillIntent());
    let lost = 0;
    const deps = probeDeps(rig);
    const database: ExecuteDeps['database'] = {
      ...deps.database,
      query: async (text, values) => {
        const answer = await deps.database.query(text, values);
        if (!text.includes('INTO execute.results') || lost > 0) return answer as never;
        lost += 1;
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      },
    };
    const { result, resultDigest } = await runStep({ ...deps, database }, on.stepOf(on.skillIntent()), inFlight());
    expect([lost, result.status]).toEqual([1, 'succeeded']);
    expect(await on.rows('results')).toMatchObject([{ digest: resultDigest }]);
  });
});
