/**
 * A price table, and the price of a call by it as an exact rational. A row that cannot be computed has no price, with
 * the reason. No price is not free: free is an explicit 0.
 */
import { canonicalJson } from '../../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import type { Digest } from '../../domain/ids.js';
import { add, max, times, ZERO, type Rational } from '../../domain/money.js';
import { priceFromCosts, readPriceRow, type Price, type Tier } from './price-row.js';

export type PriceTable = {
  readonly digest: Digest;
  /** Canonical text, as hashed. */
  readonly body: string;
  priceOf(model: string): Price | null;
  /** By key, why a row has no price. */
  readonly refused: ReadonlyMap<string, string>;
};
/** Cached, written and reasoning tokens are parts of input and output. */
export type TokenUse = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens?: number;
  readonly cacheWriteLongTokens?: number;
  readonly reasoningTokens?: number;
};

/** Reads a table that JSON.parse gave. */
export function createPriceTable(rows: Readonly<Record<string, unknown>>): PriceTable {
  const prices = new Map<string, Price>();
  const refused = new Map<string, string>();
  const used: Record<string, Readonly<Record<string, string>>> = {};
  for (const [key, row] of Object.entries(rows)) {
    // The format's description of itself, all of its costs 0.
    const read =
      key === 'sample_spec' ? { ok: false as const, reason: 'describes the format' } : readPriceRow(key, row);
    if (!read.ok) {
      refused.set(key, read.reason);
      continue;
    }
    prices.set(key, read.price);
    used[key] = read.costs;
    // LiteLLM names some models without their provider; ROK always with it. The price keeps the key of its row, which is what
    // the stored table has.
    const provider = (row as { readonly litellm_provider?: unknown }).litellm_provider;
    if (typeof provider === 'string' && !key.startsWith(`${provider}/`) && !(`${provider}/${key}` in rows))
      prices.set(`${provider}/${key}`, read.price);
  }
  const body = canonicalJson(used);
  return {
    digest: digest(DIGEST_TAGS.priceTable, body),
    body,
    priceOf: (model) => prices.get(model) ?? null,
    refused,
  };
}

/** A table that was stored: its body as it was hashed. Null where it is not what its digest says. */
export function readPriceTable(named: Digest, body: string): PriceTable | null {
  if (digest(DIGEST_TAGS.priceTable, body) !== named) return null;
  const rows = JSON.parse(body) as Readonly<Record<string, Readonly<Record<string, string>>>>;
  const prices = new Map(Object.entries(rows).map(([key, costs]) => [key, priceFromCosts(key, costs)]));
  return { digest: named, body, priceOf: (model) => prices.get(model) ?? null, refused: new Map() };
}

/** The whole call is priced by the tier that its prompt falls into. */
const tierOf = (price: Price, inputTokens: number): Tier | undefined =>
  price.tiers.findLast((tier) => tier.aboveTokens === 0 || inputTokens > tier.aboveTokens);

/** Exact USD of one call. */
export function costOf(price: Price, use: TokenUse): Rational {
  const tier = tierOf(price, use.inputTokens);
  if (tier === undefined) return price.perRequest;
  const { cacheWriteTokens: written = 0, cacheWriteLongTokens: writtenLong = 0 } = use;
  const reasoning = Math.min(use.reasoningTokens ?? 0, use.outputTokens);
  const parts: readonly Rational[] = [
    times(tier.input, Math.max(0, use.inputTokens - use.cachedInputTokens - written - writtenLong)),
    times(tier.cacheRead, use.cachedInputTokens),
    times(tier.cacheWrite, written),
    times(tier.cacheWriteLong, writtenLong),
    times(tier.output, use.outputTokens - reasoning),
    times(tier.reasoning, reasoning),
  ];
  return parts.reduce(add, price.perRequest);
}

/** The dearest USD per token that a prompt of at most `inputTokens` can meet: cache writes and reasoning included. */
export function dearest(price: Price, inputTokens: number): { readonly input: Rational; readonly output: Rational } {
  const tiers = price.tiers.filter((tier) => tier.aboveTokens === 0 || inputTokens > tier.aboveTokens);
  const most = (of: (tier: Tier) => readonly Rational[]): Rational => tiers.flatMap(of).reduce(max, ZERO);
  return {
    input: most((tier) => [tier.input, tier.cacheRead, tier.cacheWrite, tier.cacheWriteLong]),
    output: most((tier) => [tier.output, tier.reasoning]),
  };
}
