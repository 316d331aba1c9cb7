/**
 * Computes how much to reserve for a call and how much a finished call costs. The database moves the balances
 * (decide.settle_and_reserve).
 */
import { add, ceilMicros, decimalText, times, wholeMicros, ZERO, type Rational } from '../../domain/money.js';
import { uuidOf, type Digest, type Iso8601, type RunId } from '../../domain/ids.js';
import type { Intent } from '../../domain/intent.js';
import type { Sql } from '../../domain/sql.js';
import { costOf, dearest, type PriceTable } from './prices.js';
import type { PricesNamed } from './price-tables.js';
import type { OpenWarrant } from '../rows/run-row.js';
import type { LedgerAnswer, RateEnforcement, RateFacts, Snapshot } from '../snapshot.js';

/** Below this many output tokens a grant is not worth having. */
export const OUTPUT_FLOOR_TOKENS = 64;

/** What one call can cost at most, before the output limit is known. Micro-USD per output token as an exact fraction. */
export type Bound = {
  readonly baseMicros: bigint;
  readonly perToken: Rational;
  readonly inputTokens: number;
  readonly priceKey: string | null;
};

/** Null where no price applies. */
export function boundOf(prices: PriceTable, model: string, inputTokens: number): Bound | null {
  const price = prices.priceOf(model);
  if (price === null) return null;
  const rates = dearest(price, inputTokens);
  return {
    baseMicros: ceilMicros(add(price.perRequest, times(rates.input, inputTokens))),
    perToken: { num: rates.output.num * 1_000_000n, den: rates.output.den },
    inputTokens,
    priceKey: price.key,
  };
}

/** What is not a model's call costs nothing here; neither does a model without a price, which the checks have seen. */
export const boundFor = (prices: PriceTable, { kind, target }: Intent, inputTokens: number): Bound =>
  (kind === 'model.call' ? boundOf(prices, target, inputTokens) : null) ?? {
    baseMicros: 0n,
    perToken: ZERO,
    inputTokens,
    priceKey: null,
  };

export type Settlement = {
  readonly step: number;
  readonly attempt: number;
  readonly state: 'settled' | 'released' | 'forfeited';
  readonly micros: string;
  readonly tokens: number;
  readonly calls: number;
  /** Of the tokens, the answer; null where there is none. */
  readonly output: number | null;
  readonly cost_usd: string;
};

/**
 * The attempt's rows are the truth: issued → released, with a result → settled from it, without → forfeited. What it cost is
 * said by the prices that its decision named.
 */
export function settlementOf(prices: PricesNamed, warrant: OpenWarrant): Settlement {
  const at = { step: warrant.step, attempt: warrant.attempt };
  const nothing = { micros: '0', tokens: 0, calls: 0, output: null, cost_usd: '0' };
  if (warrant.state === 'issued') return { ...at, ...nothing, state: 'released' };
  const { result } = warrant;
  if (result === null || result.status === 'unknown') return { ...at, ...nothing, state: 'forfeited' };
  if (result.status === 'failed') return { ...at, ...nothing, state: 'settled' };
  if (warrant.kind !== 'model.call') return { ...at, ...nothing, calls: 1, state: 'settled' };
  const price = warrant.price_key === null ? null : (prices(warrant.price_table)?.priceOf(warrant.price_key) ?? null);
  // Nobody said how much it was, or the table has lost the price it was bounded by: the bound.
  if (!result.usage_reported || (warrant.price_key !== null && price === null))
    return {
      ...at,
      state: 'settled',
      micros: warrant.bound_micros,
      tokens: warrant.bound_tokens,
      calls: 1,
      output: warrant.granted_output,
      cost_usd: decimalText({ num: BigInt(warrant.bound_micros), den: 1_000_000n }),
    };
  const use = {
    inputTokens: result.input_tokens,
    outputTokens: result.output_tokens,
    cachedInputTokens: result.cached_tokens,
    reasoningTokens: result.reasoning_tokens,
  };
  const cost = price === null ? ZERO : costOf(price, use);
  return {
    ...at,
    state: 'settled',
    // What is beyond all sense is not refused here, where it would keep the run from settling: decide.settle forfeits it.
    micros: wholeMicros(cost).toString(),
    tokens: use.inputTokens + use.outputTokens,
    calls: 1,
    output: use.outputTokens,
    cost_usd: decimalText(cost),
  };
}

/**
 * The provider did not keep to the limit it was given, or counted more of a prompt than can be. The answer is held against
 * its own limit and the prompt against its own bound, whatever the other left over: as the facts of a later step
 * (decide.reservations_over) and the audit say it.
 */
export function tookMore(warrant: OpenWarrant, settlement: Settlement | undefined): boolean {
  if (settlement?.state !== 'settled') return false;
  const { micros, tokens, output } = settlement;
  if (BigInt(micros) > BigInt(warrant.bound_micros) || tokens > warrant.bound_tokens) return true;
  const granted = warrant.granted_output;
  return output !== null && granted !== null && (output > granted || tokens - output > warrant.bound_tokens - granted);
}

export type ReserveAsk = {
  readonly step: number;
  readonly attempt: number;
  readonly turn: number;
  readonly actionDigest: Digest;
  readonly notAfter: Iso8601;
  readonly enforced: boolean;
  readonly bound: Bound;
  readonly askedOutputTokens: number | null;
};

/** What the rates of a call are asked and moved with. */
export type RateAsk = {
  readonly kind: string;
  readonly target: string;
  /** Of which enforcement a limit must conform, or nothing is reserved. */
  readonly blocking: readonly RateEnforcement[];
};

/**
 * As `settleAndReserve`, for a call that falls under rate limits: what they and the ledger both admit moves both.
 * @returns no ledger's answer where a rate did not admit it; the rates as they were when they were locked
 */
export async function rateAndReserve(
  sql: Sql,
  run: RunId,
  settlements: readonly Settlement[],
  ask: ReserveAsk,
  rate: RateAsk,
): Promise<{ readonly ledger: LedgerAnswer | null; readonly rates: RateFacts | null }> {
  const [row] = await sql.query<{ answer: { reserved: LedgerAnswer | null; rates: RateFacts | null } }>(
    'SELECT decide.rate_and_reserve($1, $2, $3, $4) AS answer',
    [uuidOf(run), JSON.stringify(settlements), reserveText(ask), JSON.stringify(rate)],
  );
  if (row === undefined) throw new Error('the rates did not answer');
  return { ledger: row.answer.reserved, rates: row.answer.rates };
}

const askColumns = (ask: ReserveAsk) => ({
  step: ask.step,
  attempt: ask.attempt,
  turn: ask.turn,
  action_digest: ask.actionDigest,
  not_after: ask.notAfter,
  enforced: ask.enforced,
  price_key: ask.bound.priceKey,
  base_micros: ask.bound.baseMicros.toString(),
  per_token_num: ask.bound.perToken.num.toString(),
  per_token_den: ask.bound.perToken.den.toString(),
  input_tokens: ask.bound.inputTokens,
  asked_output: ask.askedOutputTokens,
});

const reserveText = (ask: ReserveAsk): string => JSON.stringify({ ...askColumns(ask), floor: OUTPUT_FLOOR_TOKENS });

/** One lock pass over every account concerned. @returns null when nothing was asked for */
export async function settleAndReserve(
  sql: Sql,
  run: RunId,
  settlements: readonly Settlement[],
  ask: ReserveAsk | null,
): Promise<LedgerAnswer | null> {
  if (settlements.length === 0 && ask === null) return null;
  const [row] = await sql.query<{ answer: { reserved: LedgerAnswer | null } }>(
    'SELECT decide.settle_and_reserve($1, $2, $3) AS answer',
    [uuidOf(run), JSON.stringify(settlements), ask === null ? null : reserveText(ask)],
  );
  return row?.answer.reserved ?? null;
}

const mostTokens = ({ bound, askedOutputTokens }: ReserveAsk): number => bound.inputTokens + (askedOutputTokens ?? 0);

/** One run's step: what of the run is over, and what the step asks for. */
export type StepToReserve = {
  readonly run: RunId;
  readonly settlements: readonly Settlement[];
  readonly ask: ReserveAsk;
};

/**
 * As `settleAndReserve` for one run or several, whose rows are locked, each of which is granted in full and without a warning,
 * as nearly all are: the answers follow from what is asked, so they are had before the statement's own answer, and what
 * follows from them is sent with it. Where the ledger says otherwise of any, the whole transaction fails (RK001).
 */
export function reserveInFull(sql: Sql, steps: readonly StepToReserve[]): readonly LedgerAnswer[] {
  void sql.query('SELECT decide.reserve_in_full($1, $2)', [
    JSON.stringify(steps.flatMap(({ run, settlements }) => settlements.map((one) => ({ run: uuidOf(run), ...one })))),
    JSON.stringify(
      steps.map(({ run, ask }) => ({
        run: uuidOf(run),
        ...askColumns(ask),
        micros: mostMicros(ask).toString(),
        tokens: mostTokens(ask),
      })),
    ),
  ]);
  return steps.map(({ ask }) => ({
    ok: true,
    output_tokens: ask.askedOutputTokens,
    micros: mostMicros(ask).toString(),
    tokens: mostTokens(ask),
    warnings: [],
    breaches: [],
  }));
}

/** What the call can cost at most, in micro-USD, rounded up: as decide.most_micros. */
function mostMicros({ bound: { baseMicros, perToken }, askedOutputTokens }: ReserveAsk): bigint {
  const output = BigInt(askedOutputTokens ?? 0) * perToken.num;
  return baseMicros + (output + perToken.den - 1n) / perToken.den;
}

/** By the run's own budget, as it was before this step: what that cannot pay for will not be granted in full. */
export const canPayInFull = (budget: Snapshot['budget'], ask: ReserveAsk): boolean =>
  BigInt(budget.capMicros) - BigInt(budget.spentMicros) >= mostMicros(ask);

/**
 * Fences what was redeemed and has no result, so that a late one is refused by the primary key; a result that was faster
 * stands and is settled from.
 */
export async function fence(sql: Sql, run: RunId, warrants: readonly OpenWarrant[]): Promise<boolean> {
  const silent = warrants.filter((warrant) => warrant.state === 'redeemed' && warrant.result === null);
  for (const warrant of silent)
    await sql.query('SELECT execute.fence($1, $2, $3)', [uuidOf(run), warrant.step, warrant.attempt]);
  return silent.length > 0;
}
