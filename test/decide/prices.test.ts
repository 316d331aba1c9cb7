import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { boundOf, settlementOf } from '../../src/decide/ledger/ledger.js';
import { costOf, createPriceTable, dearest } from '../../src/decide/ledger/prices.js';
import type { OpenWarrant } from '../../src/decide/rows/run-row.js';
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
  'thinker/deep': {
    input_cost_per_token: '0.000001',
    output_cost_per_token: 4e-6,
    output_cost_per_reasoning_token: 6e-6,
    input_cost_per_request: 0.005,
    cache_creation_input_token_cost: 2e-6,
    cache_creation_input_token_cost_above_1hr: 5e-6,
    cache_creation_input_token_cost_above_1hr_above_200k_tokens: 1e-5,
    cache_read_input_token_cost_above_128k_tokens: 3e-6,
    output_cost_per_token_batches: 1,
  },
  'ranges/flash': {
    tiered_pricing: [
      { range: [0, 256000], input_cost_per_token: 5e-8, output_cost_per_token: 4e-7 },
      { range: [256000, 1000000], input_cost_per_token: 2.5e-7, output_cost_per_token: 2e-6 },
    ],
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

  it('is by the request, by reasoning, and by how long a cache is written for', () => {
    const price = table.priceOf('thinker/deep');
    if (price === null) throw new Error('no price');
    const of = (use: object): string =>
      decimalText(costOf(price, { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, ...use }), 6);
    expect(of({})).toBe('0.005000');
    expect(of({ inputTokens: 1_000, outputTokens: 100 })).toBe('0.006400');
    expect(of({ inputTokens: 1_000, outputTokens: 100, reasoningTokens: 50 })).toBe('0.006500');
    expect(of({ inputTokens: 1_000, cacheWriteTokens: 1_000 })).toBe('0.007000');
    expect(of({ inputTokens: 1_000, cacheWriteLongTokens: 1_000 })).toBe('0.010000');
    // A tier that does not name a cost has that of the one below.
    expect(of({ inputTokens: 130_000, cachedInputTokens: 130_000 })).toBe('0.395000');
    expect(of({ inputTokens: 201_000, cachedInputTokens: 200_000, cacheWriteLongTokens: 1_000 })).toBe('0.615000');
    expect(dearest(price, 1)).toEqual({ input: { num: 5n, den: 10n ** 6n }, output: { num: 6n, den: 10n ** 6n } });
    expect(boundOf(table, 'thinker/deep', 100)).toMatchObject({ baseMicros: 5_500n, priceKey: 'thinker/deep' });
  });

  it('is by ranges of the prompt, where the row has them', () => {
    expect(cost('ranges/flash', 256_000, 10)).toBe('0.012804000');
    expect(cost('ranges/flash', 256_001, 10)).toBe('0.064020250');
    expect(cost('ranges/flash', 2_000_000, 0)).toBe('0.500000000');
  });

  it.each([
    [{ input_cost_per_token: 1e-6 }, '`output_cost_per_token` is missing'],
    [{ input_cost_per_token: -1, output_cost_per_token: 1 }, '`input_cost_per_token` is not a non-negative number'],
    [
      { input_cost_per_token: Number.NaN, output_cost_per_token: 1 },
      '`input_cost_per_token` is not a non-negative number',
    ],
    [{ input_cost_per_token: { usd: 1 }, output_cost_per_token: 1 }, '`input_cost_per_token` is not a number'],
    [{ input_cost_per_token: 1001, output_cost_per_token: 1 }, '`input_cost_per_token` is more than 1000 USD'],
    [{ input_cost_per_token: null, output_cost_per_token: 1 }, '`input_cost_per_token` is missing'],
    [
      { input_cost_per_token: 0, output_cost_per_token: 0, input_cost_per_query: 1 },
      'tokens cost nothing, but `input_cost_per_query` does',
    ],
    [{ input_cost_per_token: 0, output_cost_per_token: 0, mode: 'rerank' }, 'mode `rerank` is not paid by text tokens'],
    [
      { input_cost_per_token: 1, output_cost_per_token: 1, citation_cost_per_token: 1 },
      'citations cost, and usage does not count them',
    ],
    [
      {
        input_cost_per_token: 1,
        output_cost_per_token: 1,
        litellm_provider: 'perplexity',
        search_context_cost_per_query: { low: 0.005 },
      },
      'a search costs, and usage does not count it',
    ],
    [{ tiered_pricing: [{ input_cost_per_token: 1 }] }, 'a range of `tiered_pricing` has no start'],
    [{ tiered_pricing: 'steep' }, '`tiered_pricing` is not a list'],
    [[], 'the row is not an object'],
  ])('is refused of %p: %s', (row, reason) => {
    const made = createPriceTable({ m: row });
    expect(made.priceOf('m')).toBeNull();
    expect([...made.refused]).toEqual([['m', reason]]);
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
  granted_output: 400,
  price_table: table.digest,
  target: 'openai/gpt-5',
  kind: 'model.call',
  result: {
    status: 'succeeded',
    input_tokens: 100,
    output_tokens: 10,
    cached_tokens: 0,
    reasoning_tokens: 0,
    usage_reported: true,
  },
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
      'a success whose price the table has lost costs its bound',
      { price_key: 'openai/gone' },
      { state: 'settled', micros: '5000', tokens: 900 },
    ],
    [
      'a success that is beyond all sense is told as it is, for the ledger to forfeit',
      { result: { ...result, input_tokens: 2 ** 62, output_tokens: 2 ** 62 } },
      { state: 'settled', micros: ((2n ** 62n * 45n) / 4n).toString() },
    ],
    [
      'a skill costs a call',
      { kind: 'skill.call', price_key: null },
      { state: 'settled', micros: '0', tokens: 0, calls: 1 },
    ],
  ] as const)('%s', (_name, changes, expected) => {
    expect(settlementOf(() => table, warrant(changes as Partial<OpenWarrant>))).toMatchObject(expected);
  });

  it('within its grant never costs more than its bound', () => {
    const use = fc.record({
      input: fc.nat({ max: 300_000 }),
      output: fc.nat({ max: 5_000 }),
      cached: fc.nat({ max: 300_000 }),
      reasoning: fc.nat({ max: 5_000 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom('gpt-5', 'gemini/tiered', 'thinker/deep', 'ranges/flash', 'local/free'),
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
            () => table,
            warrant({
              price_key: model,
              result: {
                status: 'succeeded',
                input_tokens: inputTokens,
                output_tokens: used.output,
                cached_tokens: Math.min(used.cached, inputTokens),
                reasoning_tokens: Math.min(used.reasoning, used.output),
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
