import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { boundOf, settlementOf } from '../../src/decide/ledger.js';
import { costOf, createPriceTable, dearest } from '../../src/decide/prices.js';
import type { OpenWarrant } from '../../src/decide/run-row.js';
import { ceilMicros, decimalText } from '../../src/domain/money.js';

const table = createPriceTable({
  'gpt-5': {
    litellm_provider: 'openai',
    input_cost_per_token: 1.25e-6,
    output_cost_per_token: 1e-5,
    cache_read_input_token_cost: 1.25e-7,
  },
  'gemini/tiered': {
    litellm_provider: 'gemini',
    input_cost_per_token: 1e-6,
    output_cost_per_token: 2e-6,
    input_cost_per_token_above_200k_tokens: 2e-6,
    output_cost_per_token_above_200k_tokens: 4e-6,
    cache_creation_input_token_cost: 3e-6,
  },
  'local/free': { input_cost_per_token: 0, output_cost_per_token: 0 },
  'half/row': { input_cost_per_token: 1e-6 },
  'bad/row': { input_cost_per_token: -1, output_cost_per_token: 1e-6 },
  'nan/row': { input_cost_per_token: Number.NaN, output_cost_per_token: 1e-6 },
  'text/row': 'free',
  'none/row': null,
});

function cost(model: string, inputTokens: number, outputTokens: number, cachedInputTokens = 0): string {
  const price = table.priceOf(model);
  return price === null ? 'none' : decimalText(costOf(price, { inputTokens, outputTokens, cachedInputTokens }), 9);
}

describe('a price', () => {
  it('is found by provider and name, though the table leaves the provider out', () => {
    expect(cost('openai/gpt-5', 1000, 100)).toBe('0.002250000');
    expect(cost('gpt-5', 1000, 100)).toBe('0.002250000');
  });

  it('of cached input is its own, else that of input', () => {
    expect(cost('gpt-5', 1000, 0, 1000)).toBe('0.000125000');
    expect(cost('gpt-5', 1000, 0, 400)).toBe('0.000800000');
    expect(cost('gemini/tiered', 1000, 0, 1000)).toBe('0.001000000');
  });

  it('changes above a tier, not at it', () => {
    expect(cost('gemini/tiered', 200_000, 10)).toBe('0.200020000');
    expect(cost('gemini/tiered', 200_001, 10)).toBe('0.400042000');
  });

  it('that is missing or cannot be computed is none, and an explicit 0 is free', () => {
    for (const model of [
      'unknown/model',
      'half/row',
      'bad/row',
      'nan/row',
      'text/row',
      'none/row',
      'constructor',
      '__proto__',
    ])
      expect(table.priceOf(model)).toBeNull();
    expect(cost('local/free', 1000, 1000)).toBe('0.000000000');
  });

  it('bounds with the dearest that a prompt of that length can meet, cache writing included', () => {
    const price = table.priceOf('gemini/tiered');
    if (price === null) throw new Error('no price');
    expect(ceilMicros({ ...dearest(price, 1).input })).toBe(3n);
    expect(ceilMicros({ ...dearest(price, 200_000).output })).toBe(2n);
    expect(ceilMicros({ ...dearest(price, 200_001).output })).toBe(4n);
  });

  it('table is named by what is used of it, whatever the order of its rows', () => {
    const free = { input_cost_per_token: 0, output_cost_per_token: 0 };
    const one = createPriceTable({ a: free, b: { ...free, max_tokens: 5 } });
    expect(createPriceTable({ b: { ...free, max_tokens: 6 }, a: free }).digest).toBe(one.digest);
    expect(createPriceTable({ a: free }).digest).not.toBe(one.digest);
  });
});

const warrant = (changes: Partial<OpenWarrant>): OpenWarrant => ({
  step: 1,
  attempt: 1,
  turn: 1,
  state: 'redeemed',
  price_key: 'openai/gpt-5',
  bound_micros: '5000',
  bound_tokens: 900,
  target: 'openai/gpt-5',
  kind: 'model.call',
  result: { status: 'succeeded', input_tokens: 100, output_tokens: 10, cached_tokens: 0, usage_reported: true },
  ...changes,
});
const result = warrant({}).result;

describe('a settlement', () => {
  it.each([
    [
      'what was not redeemed is released',
      { state: 'issued', result: null },
      { state: 'released', micros: '0', calls: 0 },
    ],
    ['no result is forfeited', { result: null }, { state: 'forfeited' }],
    ['an unknown result is forfeited', { result: { ...result, status: 'unknown' } }, { state: 'forfeited' }],
    [
      'a failure costs nothing',
      { result: { ...result, status: 'failed' } },
      { state: 'settled', micros: '0', calls: 0 },
    ],
    ['a success costs its usage, rounded up', {}, { state: 'settled', micros: '225', tokens: 110, calls: 1 }],
    [
      'a success without usage costs its bound',
      { result: { ...result, usage_reported: false } },
      { micros: '5000', tokens: 900 },
    ],
    [
      'a skill costs a call',
      { kind: 'skill.call', price_key: null },
      { state: 'settled', micros: '0', tokens: 0, calls: 1 },
    ],
  ] as const)('%s', (_name, changes, expected) => {
    expect(settlementOf(table, warrant(changes as Partial<OpenWarrant>))).toMatchObject(expected);
  });

  it('within its grant never costs more than its bound', () => {
    const use = fc.record({
      input: fc.nat({ max: 300_000 }),
      output: fc.nat({ max: 5_000 }),
      cached: fc.nat({ max: 300_000 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom('gpt-5', 'gemini/tiered', 'local/free'),
        use,
        fc.nat({ max: 1_000 }),
        (model, used, slack) => {
          const inputTokens = used.input;
          const bound = boundOf(table, model, inputTokens + slack);
          if (bound === null) throw new Error('no price');
          const most =
            bound.baseMicros +
            ceilMicros({ num: bound.perToken.num * BigInt(used.output), den: bound.perToken.den * 1_000_000n });
          const settled = settlementOf(
            table,
            warrant({
              price_key: model,
              result: {
                status: 'succeeded',
                input_tokens: inputTokens,
                output_tokens: used.output,
                cached_tokens: Math.min(used.cached, inputTokens),
                usage_reported: true,
              },
            }),
          );
          expect(BigInt(settled.micros) <= most).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
