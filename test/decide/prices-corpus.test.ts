/** Real price tables and what real calls were charged by them. Where the data is absent, the hand-written fixture of the same layout. */
import { describe, expect, it } from '@jest/globals';
import { costOf, createPriceTable } from '../../src/decide/ledger/prices.js';
import { decimalText } from '../../src/domain/money.js';
import {
  fixtureData,
  holdsTranscripts,
  readPriceRows,
  readRecordings,
  RECORDED_MODEL,
  sharedData,
  TABLES,
  type PriceRows,
} from '../corpus/recording.js';

const present = holdsTranscripts(sharedData);
if (!present) process.stdout.write('no price tables and recorded runs beside the project: the real ones are skipped\n');

/** Calls whose cost is not the recorded one within 1e-9 USD, by run and number. */
async function differences(folder: string) {
  const table = createPriceTable(await readPriceRows(folder, TABLES.recorded));
  const price = table.priceOf(RECORDED_MODEL);
  if (price === null) throw new Error(`no price of ${RECORDED_MODEL}`);
  const calls = (await readRecordings(folder)).flatMap(({ id, steps }) =>
    steps.map(({ usage, recorded_cost_usd: recorded }, at) => {
      const cost = costOf(price, {
        inputTokens: usage.prompt_tokens,
        outputTokens: usage.completion_tokens,
        cachedInputTokens: usage.cached_tokens,
      });
      return { call: `${id} ${at + 1}`, cost: decimalText(cost), recorded };
    }),
  );
  const wrong = calls.filter(({ cost, recorded }) => !(Math.abs(Number(cost) - recorded) <= 1e-9));
  return { calls: calls.length, wrong };
}

const isCost = (value: unknown): boolean => (typeof value === 'number' || typeof value === 'string') && value !== '';

/** Costs per token by the row's own words: in its fields, or in its first range. */
function written(row: unknown): { readonly input: unknown; readonly output: unknown } {
  const fields = row as Readonly<Record<string, unknown>>;
  const ranges = (fields['tiered_pricing'] ?? []) as readonly Readonly<Record<string, unknown>>[];
  const first = ranges.find((one) => (one['range'] as readonly unknown[] | undefined)?.[0] === 0) ?? {};
  return {
    input: fields['input_cost_per_token'] ?? first['input_cost_per_token'],
    output: fields['output_cost_per_token'] ?? first['output_cost_per_token'],
  };
}

/** Models that would cost nothing although their row does not say 0 for both directions, or names a cost of another kind. */
function freeByMistake(rows: PriceRows): readonly string[] {
  const table = createPriceTable(rows);
  return Object.entries(rows).flatMap(([key, row]) => {
    const price = table.priceOf(key);
    if (price === null) return [];
    const cost = costOf(price, { inputTokens: 1_000, outputTokens: 1_000, cachedInputTokens: 0 });
    const { input, output } = written(row);
    const saysSo = Number(input) === 0 && Number(output) === 0 && isCost(input) && isCost(output);
    const other = Object.entries(row as object).some(([name, value]) => name.includes('cost') && Number(value) > 0);
    return cost.num === 0n && (!saysSo || other) ? [key] : [];
  });
}

/** Keys without a cost for each direction that have a price all the same. */
function pricedWithoutCost(rows: PriceRows): readonly string[] {
  const table = createPriceTable(rows);
  return Object.entries(rows).flatMap(([key, row]) => {
    const { input, output } = written(row);
    return (!isCost(input) || !isCost(output)) && table.priceOf(key) !== null ? [key] : [];
  });
}

/** Rows that have neither a price nor a reason, or both. */
function unexplained(rows: PriceRows): readonly string[] {
  const table = createPriceTable(rows);
  return Object.keys(rows).filter((key) => (table.priceOf(key) === null) !== table.refused.has(key));
}

describe('the hand-written table', () => {
  it('prices each call of its recording as it was recorded', async () => {
    expect(await differences(fixtureData)).toEqual({ calls: 7, wrong: [] });
  });

  it('prices what has a cost per token in both directions, and nothing else', async () => {
    const rows = await readPriceRows(fixtureData, TABLES.recorded);
    const table = createPriceTable(rows);
    expect(Object.keys(rows)).toEqual(expect.arrayContaining(['sample_spec', 'rerank', 'image-only', 'by-the-second']));
    expect(Object.keys(rows).filter((key) => table.priceOf(key) !== null)).toEqual([
      RECORDED_MODEL,
      'gpt-5-mini',
      'free-model',
    ]);
    expect([freeByMistake(rows), pricedWithoutCost(rows)]).toEqual([[], []]);
  });
});

(present ? describe : describe.skip)('the real tables', () => {
  it('price every recorded call within 1e-9 USD of what was charged', async () => {
    expect(await differences(sharedData)).toEqual({ calls: 1675, wrong: [] });
  });

  it.each([
    ['recorded', TABLES.recorded, 1840],
    ['newer', TABLES.newer, 4553],
  ])('of the %s one, no row without a price reads as free', async (_name, file, entries) => {
    const rows = await readPriceRows(sharedData, file);
    const table = createPriceTable(rows);
    const priced = Object.keys(rows).filter((key) => table.priceOf(key) !== null).length;
    expect(Object.keys(rows)).toHaveLength(entries);
    // Most models are priced by token; those that are not must not be counted among them.
    expect(priced).toBeGreaterThan(entries / 2);
    expect(priced).toBeLessThan(entries);
    expect({ free: freeByMistake(rows), unpriced: pricedWithoutCost(rows), unexplained: unexplained(rows) }).toEqual({
      free: [],
      unpriced: [],
      unexplained: [],
    });
  });

  it('differ: a model of the older one that the newer one lost has no price there', async () => {
    const [older, newer] = await Promise.all(
      [TABLES.recorded, TABLES.newer].map(async (file) => readPriceRows(sharedData, file)),
    );
    const table = createPriceTable(newer ?? {});
    const gone = Object.keys(older ?? {}).filter((key) => !(key in (newer ?? {})));
    expect(gone.length).toBeGreaterThan(0);
    expect(gone.filter((key) => table.priceOf(key) !== null)).toEqual([]);
  });
});
