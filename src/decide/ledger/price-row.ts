/**
 * Parses one row of a price table in LiteLLM's format: the price of a text call by its usage, or why it cannot be
 * computed. Prices that ROK never needs (batches, flex and priority service, images, sound) are not read. A call with
 * costs that usage does not count (searches, citations) has no price here.
 */
import { max, rational, ZERO, type Rational } from '../../domain/money.js';

/** USD per token that applies to prompts above `aboveTokens`. */
export type Tier = {
  readonly aboveTokens: number;
  readonly input: Rational;
  readonly output: Rational;
  /** Part of the output. */
  readonly reasoning: Rational;
  readonly cacheRead: Rational;
  readonly cacheWrite: Rational;
  /** For as long as the provider offers: an hour, half a day. */
  readonly cacheWriteLong: Rational;
};
export type Price = { readonly key: string; readonly perRequest: Rational; readonly tiers: readonly Tier[] };

/** `name@above` → the cost as it was written; what a price is made of, and what the table's digest is over. */
type Costs = Readonly<Record<string, string>>;
export type PriceRow =
  { readonly ok: true; readonly price: Price; readonly costs: Costs } | { readonly ok: false; readonly reason: string };

const NAMES: Readonly<Record<string, keyof Omit<Tier, 'aboveTokens'>>> = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  output_cost_per_reasoning_token: 'reasoning',
  cache_read_input_token_cost: 'cacheRead',
  input_cost_per_token_cache_hit: 'cacheRead',
  cache_creation_input_token_cost: 'cacheWrite',
  cache_creation_input_token_cost_above_1hr: 'cacheWriteLong',
  cache_creation_input_token_cost_above_12hr: 'cacheWriteLong',
};
const ABOVE = /^(.*?)_above_([0-9]{1,6})k_tokens$/;
const PER_REQUEST = 'input_cost_per_request';
/** Modes whose whole cost is by text tokens. A row that names none is taken as one. */
const TEXT_MODES: readonly unknown[] = [undefined, 'chat', 'completion', 'responses', 'embedding'];
/** More is a mistake in the table; and sums of less stay within what a column holds. */
const MOST_USD = rational('1000');

class Uncomputable extends Error {}
const refuse = (why: string): never => {
  throw new Uncomputable(why);
};

/** Total: any value in, a price or the reason why there is none. */
export function readPriceRow(key: string, row: unknown): PriceRow {
  try {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) return refuse('the row is not an object');
    const fields = row as Readonly<Record<string, unknown>>;
    const costs = new Map<string, { readonly text: string; readonly cost: Rational }>();
    for (const [name, value] of Object.entries(fields)) addCost(costs, name, value);
    addRanges(costs, fields['tiered_pricing']);
    mustBeWhole(key, fields, costs);
    const texts = Object.fromEntries([...costs].map(([name, { text }]) => [name, text]));
    const perRequest = costs.get(`${PER_REQUEST}@0`)?.cost ?? ZERO;
    return { ok: true, price: { key, perRequest, tiers: tiersOf(costs) }, costs: texts };
  } catch (error) {
    if (error instanceof Uncomputable) return { ok: false, reason: error.message };
    throw error;
  }
}

/** A price as a table stores it: by `name@above`, the costs as they were written. */
export function priceFromCosts(key: string, texts: Costs): Price {
  const costs: Found = new Map(Object.entries(texts).map(([name, text]) => [name, { text, cost: rational(text) }]));
  return { key, perRequest: costs.get(`${PER_REQUEST}@0`)?.cost ?? ZERO, tiers: tiersOf(costs) };
}

type Found = Map<string, { readonly text: string; readonly cost: Rational }>;

function addCost(costs: Found, name: string, value: unknown, from?: number): void {
  const [, base, above] = ABOVE.exec(name) ?? [null, name, '0'];
  if (!(Object.hasOwn(NAMES, base) || base === PER_REQUEST)) return;
  // Says of some rows that there is no such cost.
  if (value === null) return;
  if (typeof value !== 'number' && typeof value !== 'string') return refuse(`\`${name}\` is not a number`);
  // The shortest text of the number is the decimal that was written.
  const text = String(value);
  const cost = decimal(name, text);
  if (cost.num > MOST_USD.num * cost.den) refuse(`\`${name}\` is more than 1000 USD`);
  costs.set(`${base}@${from ?? Number(above) * 1000}`, { text, cost });
}

function decimal(name: string, text: string): Rational {
  try {
    return rational(text);
  } catch {
    return refuse(`\`${name}\` is not a non-negative number`);
  }
}

/** `tiered_pricing`: [{ range: [from, to], …costs }], by the length of the prompt. */
function addRanges(costs: Found, ranges: unknown): void {
  if (ranges === undefined || ranges === null) return;
  if (!Array.isArray(ranges)) return refuse('`tiered_pricing` is not a list');
  for (const one of ranges as readonly unknown[]) {
    const { range, ...rest } = (typeof one === 'object' && one !== null ? one : {}) as Readonly<
      Record<string, unknown>
    >;
    const from: unknown = Array.isArray(range) ? range[0] : undefined;
    if (!Number.isSafeInteger(from) || (from as number) < 0) return refuse('a range of `tiered_pricing` has no start');
    for (const [name, value] of Object.entries(rest)) addCost(costs, name, value, from as number);
  }
}

function mustBeWhole(key: string, fields: Readonly<Record<string, unknown>>, costs: Found): void {
  const { mode, litellm_provider: provider } = fields;
  if (!TEXT_MODES.includes(mode)) refuse(`mode \`${String(mode).slice(0, 40)}\` is not paid by text tokens`);
  for (const name of ['input_cost_per_token', 'output_cost_per_token'])
    if (!costs.has(`${name}@0`)) refuse(`\`${name}\` is missing`);
  if ('citation_cost_per_token' in fields) refuse('citations cost, and usage does not count them');
  const searches = provider === 'perplexity' || /search/.test(key);
  if (searches && positive(fields['search_context_cost_per_query']))
    refuse('a search costs, and usage does not count it');
  // 0 for both directions beside a cost of another kind says what tokens cost, not that the model is free.
  const free = [...costs.values()].every(({ cost }) => cost.num === 0n);
  const other = Object.entries(fields).find(([name, value]) => name.includes('cost') && positive(value));
  if (free && other !== undefined) refuse(`tokens cost nothing, but \`${other[0]}\` does`);
}

const positive = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.values(value).some(positive)
    : (typeof value === 'number' || typeof value === 'string') && Number(value) > 0;

function tiersOf(costs: Found): readonly Tier[] {
  const thresholds = [...new Set([...costs.keys()].map((name) => Number(name.split('@')[1])))].sort((a, b) => a - b);
  return thresholds.map((aboveTokens) => {
    // What a tier does not say is as in the one below it.
    const said = (kind: keyof Omit<Tier, 'aboveTokens'>): Rational | null => {
      const levels = thresholds.filter((one) => one <= aboveTokens).reverse();
      for (const level of levels) {
        const at = Object.keys(NAMES).flatMap((name) =>
          NAMES[name] === kind ? [costs.get(`${name}@${level}`)?.cost ?? null] : [],
        );
        const known = at.filter((cost) => cost !== null);
        // Two names of one kind: the dearer.
        if (known.length > 0) return known.reduce(max);
      }
      return null;
    };
    const input = said('input') ?? ZERO;
    const output = said('output') ?? ZERO;
    const cacheWrite = said('cacheWrite') ?? input;
    return {
      aboveTokens,
      input,
      output,
      reasoning: said('reasoning') ?? output,
      // Without a price of its own, cached input costs what input costs.
      cacheRead: said('cacheRead') ?? input,
      cacheWrite,
      cacheWriteLong: said('cacheWriteLong') ?? cacheWrite,
    };
  });
}
