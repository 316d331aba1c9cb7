import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { durationMs, parseAgent } from '../../src/domain/agent.js';
import { DEFAULT_LIMITS } from '../../src/domain/limits.js';

const least = { name: 'a', model: 'openai/gpt-5-mini', instructions: 'help' };

describe('an agent file', () => {
  it('with the least in it gets every default', () => {
    const parsed = parseAgent(least);
    expect(parsed).toEqual({
      ok: true,
      agent: {
        ...least,
        maxOutputTokens: 4096,
        skills: [],
        limits: DEFAULT_LIMITS,
        policies: ['default'],
        labels: {},
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
  });

  it('takes money and durations as written', () => {
    const parsed = parseAgent({ ...least, limits: { usd: '0.50', wallTime: '10m', skillCalls: { x: 2 } } });
    expect(parsed).toMatchObject({
      ok: true,
      agent: { limits: { ...DEFAULT_LIMITS, usdMicros: '500000', wallTimeMs: 600_000, skillCalls: { x: 2 } } },
    });
  });

  it('changes its digest with anything in it', () => {
    const digestOf = (changes: object): unknown => {
      const parsed = parseAgent({ ...least, ...changes });
      return parsed.ok ? parsed.agent.digest : parsed.problems;
    };
    const changes = [
      {},
      { instructions: 'Help' },
      { skills: ['s'] },
      { downgrade: 'a/b' },
      { limits: { steps: 1 } },
      { labels: { a: 'b' } },
    ];
    expect(new Set(changes.map(digestOf)).size).toBe(changes.length);
    expect(digestOf({})).toBe(digestOf({}));
  });

  it('with several mistakes names each', () => {
    const parsed = parseAgent({
      name: '-',
      model: 'gpt',
      instructions: 'a\0b',
      limits: { usd: '0.0000001', steps: -1, wallTime: 'soon', depth: 1.5 },
      colour: 'red',
    });
    expect(parsed.ok ? [] : parsed.problems.map((problem) => problem.split(':')[0])).toEqual([
      'name',
      'model',
      'instructions',
      'limits.usd',
      'limits.steps',
      'limits.wallTime',
      'limits.depth',
      'agent',
    ]);
  });

  it.each([null, undefined, 7, 'x', []])('that is no object is refused: %p', (value) => {
    expect(parseAgent(value).ok).toBe(false);
  });

  it('that ships parses', () => {
    const file = fileURLToPath(new URL('../../agents/refund-desk.yaml', import.meta.url));
    expect(parseAgent(parse(readFileSync(file, 'utf8')))).toMatchObject({ ok: true, agent: { name: 'refund-desk' } });
  });
});

describe('a duration', () => {
  it.each([
    ['1ms', 1],
    ['90s', 90_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ])('%s', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });
  it.each(['', '0m', '-1m', '1.5h', '1', 'm', '1 m', '1w', '1m\n', '99999999d'])('is not %j', (text) => {
    expect(() => durationMs(text)).toThrow(RangeError);
  });
});
