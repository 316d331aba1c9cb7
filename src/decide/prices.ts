/**
 * Prices in LiteLLM's JSON format, as exact rationals. Knows tiers by prompt size and cached input; a row that cannot be
 * computed has no price, which is not the same as free: free is an explicit 0.
 */
import { canonicalJson } from '../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../domain/digest.js';
import type { Digest } from '../domain/ids.js';
import { add, max, rational, times, ZERO, type Rational } from '../domain/money.js';

/** USD per token that applies to prompts above `aboveTokens`. */
export type Tier = {
  readonly aboveTokens: number;
  readonly input: Rational;
  readonly output: Rational;
  readonly cacheRead: Rational;
  readonly cacheWrite: Rational;
};
export type Price = { readonly key: string; readonly tiers: readonly Tier[] };
export type PriceTable = {
  readonly digest: Digest;
  /** Canonical text, as hashed. */
  readonly body: string;
  priceOf(model: string): Price | null;
};
export type TokenUse = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
};

const TIER =
  /^(input_cost_per_token|output_cost_per_token|cache_read_input_token_cost|cache_creation_input_token_cost)_above_([0-9]+)k_tokens$/;

/** Reads a table that JSON.parse gave; rows of other shapes are simply not priced per token. */
export function createPriceTable(rows: Readonly<Record<string, unknown>>): PriceTable {
  const prices = new Map<string, Price>();
  const used: Record<string, Record<string, string>> = {};
  for (const [key, row] of Object.entries(rows)) {
    // The format's description of itself, all of its costs 0.
    if (key === 'sample_spec') continue;
    const fields = costFields(row);
    const price = fields === null ? null : priceFrom(key, fields);
    if (fields === null || price === null) continue;
    prices.set(key, price);
    used[key] = fields;
    // LiteLLM names some models without their provider; ROK always with it.
    const provider = (row as { readonly litellm_provider?: unknown }).litellm_provider;
    if (typeof provider === 'string' && !key.startsWith(`${provider}/`) && !(`${provider}/${key}` in rows))
      prices.set(`${provider}/${key}`, { ...price, key: `${provider}/${key}` });
  }
  const body = canonicalJson(used);
  return { digest: digest(DIGEST_TAGS.priceTable, body), body, priceOf: (model) => prices.get(model) ?? null };
}

function costFields(row: unknown): Record<string, string> | null {
  if (typeof row !== 'object' || row === null) return null;
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(row)) {
    const known =
      TIER.test(name) ||
      /^(input_cost_per_token|output_cost_per_token|cache_read_input_token_cost|cache_creation_input_token_cost)$/.test(
        name,
      );
    // The shortest text of the number is the decimal that was written.
    if (known && (typeof value === 'number' || typeof value === 'string')) fields[name] = String(value);
  }
  const complete = 'input_cost_per_token' in fields && 'output_cost_per_token' in fields;
  return complete && !paidOtherwise(row) ? fields : null;
}

/** 0 for both directions beside a cost per query or image says what tokens cost, not that the model is free. */
function paidOtherwise(row: object): boolean {
  const costs = Object.entries(row).filter(([name]) => name.includes('cost'));
  const isZero = (name: string): boolean => costs.some(([field, cost]) => field === name && Number(cost) === 0);
  const other = costs.some(([, cost]) => (typeof cost === 'number' || typeof cost === 'string') && Number(cost) !== 0);
  return isZero('input_cost_per_token') && isZero('output_cost_per_token') && other;
}

function priceFrom(key: string, fields: Readonly<Record<string, string>>): Price | null {
  try {
    const thresholds = new Set<number>([0]);
    for (const name of Object.keys(fields)) {
      const match = TIER.exec(name);
      if (match !== null) thresholds.add(Number(match[2]) * 1000);
    }
    const tiers = [...thresholds].sort((a, b) => a - b).map((above) => tierAt(fields, above));
    return { key, tiers };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function tierAt(fields: Readonly<Record<string, string>>, above: number): Tier {
  const cost = (name: string): Rational | null => {
    const text = above === 0 ? fields[name] : (fields[`${name}_above_${above / 1000}k_tokens`] ?? fields[name]);
    return text === undefined ? null : rational(text);
  };
  const input = cost('input_cost_per_token') ?? ZERO;
  return {
    aboveTokens: above,
    input,
    output: cost('output_cost_per_token') ?? ZERO,
    // Without a price of its own, cached input costs what input costs.
    cacheRead: cost('cache_read_input_token_cost') ?? input,
    cacheWrite: cost('cache_creation_input_token_cost') ?? input,
  };
}

/** Exact USD of one call. */
export function costOf(price: Price, use: TokenUse): Rational {
  const tier = price.tiers.findLast(
    (candidate) => candidate.aboveTokens === 0 || use.inputTokens > candidate.aboveTokens,
  );
  if (tier === undefined) return ZERO;
  const fresh = Math.max(0, use.inputTokens - use.cachedInputTokens);
  return add(
    add(times(tier.input, fresh), times(tier.cacheRead, use.cachedInputTokens)),
    times(tier.output, use.outputTokens),
  );
}

/** The dearest USD per token that a prompt of at most `inputTokens` can meet: cache write included. */
export function dearest(price: Price, inputTokens: number): { readonly input: Rational; readonly output: Rational } {
  const tiers = price.tiers.filter((tier) => tier.aboveTokens === 0 || inputTokens > tier.aboveTokens);
  return {
    input: tiers.reduce((most, tier) => max(most, max(tier.input, max(tier.cacheRead, tier.cacheWrite))), ZERO),
    output: tiers.reduce((most, tier) => max(most, tier.output), ZERO),
  };
}
