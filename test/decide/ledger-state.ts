/** The naive model of the ledger: plain numbers, one act after the other, and the search for an order that explains answers. */
import type { Balance } from './ledger-rig.js';

type Crash = { readonly crashAt: number | null };
export type Act = Crash &
  (
    | { readonly act: 'reserve'; readonly run: number; readonly micros: number; readonly enforced: boolean }
    | { readonly act: 'redeem'; readonly which: number }
    | { readonly act: 'settled' | 'released' | 'forfeited'; readonly which: number; readonly micros: number }
    | { readonly act: 'cap'; readonly of: 'tenant' | 'run'; readonly cap: number }
  );
/** `lost`: it was committed, but nobody was told. */
export type Said = 'allowed' | 'refused' | 'done' | 'no effect' | 'crashed' | 'lost';

type Account = { readonly cap: number; readonly spent: number; readonly reserved: number; readonly over: number };
type Warrant = {
  readonly run: number;
  readonly step: number;
  readonly state: string;
  /** What each account set aside: of an OBSERVE_ONLY run less than the bound where the cap would not have it. */
  readonly bound: number;
  readonly lines: readonly number[];
};
/** Accounts: the first run's money, the second's, the tenant's money, the tenant's calls. */
export type ModelState = {
  readonly accounts: readonly Account[];
  readonly warrants: readonly Warrant[];
};

const CALLS = 3;
const account = (cap: number): Account => ({ cap, spent: 0, reserved: 0, over: 0 });
export const firstState = (caps: {
  readonly run: number;
  readonly tenant: number;
  readonly calls: number;
}): ModelState => ({
  accounts: [caps.run, caps.run, caps.tenant, caps.calls].map(account),
  warrants: [],
});

const takenFrom = (run: number): readonly number[] => [run, 2, CALLS];
const replaced = <T>(list: readonly T[], at: number, value: T): readonly T[] =>
  list.map((one, n) => (n === at ? value : one));

/** An act in its story: its number, and which reservation it is about, whether or not that was allowed. */
export type Numbered = Act & { readonly step: number; readonly chosen: Chosen | null };
export type Chosen = { readonly run: number; readonly step: number };
type After = { readonly said: 'allowed' | 'refused' | 'done' | 'no effect'; readonly state: ModelState };

function apply(state: ModelState, act: Numbered): After {
  if (act.act === 'cap') {
    const at = act.of === 'run' ? 0 : 2;
    const now = state.accounts[at] ?? account(0);
    return { said: 'done', state: { ...state, accounts: replaced(state.accounts, at, { ...now, cap: act.cap }) } };
  }
  if (act.act === 'reserve') return reserve(state, act);
  const at = state.warrants.findIndex(({ step }) => step === act.chosen?.step);
  const warrant = state.warrants[at];
  if (warrant === undefined) return { said: 'no effect', state };
  const needed = act.act === 'redeem' || act.act === 'released' ? 'issued' : 'redeemed';
  if (warrant.state !== needed) return { said: 'no effect', state };
  const ended = {
    ...state,
    warrants: replaced(state.warrants, at, { ...warrant, state: act.act === 'redeem' ? 'redeemed' : act.act }),
  };
  if (act.act === 'redeem') return { said: 'done', state: ended };
  return { said: 'done', state: { ...ended, accounts: settled(state.accounts, warrant, act) } };
}

function settled(
  accounts: readonly Account[],
  warrant: Warrant,
  act: { readonly act: string; readonly micros: number },
) {
  return takenFrom(warrant.run).reduce((all, of, n) => {
    const now = all[of] ?? account(0);
    const line = warrant.lines[n] ?? 0;
    const whole = of === CALLS ? 1 : act.act === 'settled' ? act.micros : warrant.bound;
    const used = act.act === 'released' ? 0 : whole;
    const next = {
      ...now,
      reserved: now.reserved - line,
      spent: now.spent + Math.min(used, line),
      over: now.over + Math.max(used - line, 0),
    };
    return replaced(all, of, next);
  }, accounts);
}

function reserve(state: ModelState, act: Extract<Numbered, { act: 'reserve' }>): After {
  const amounts = takenFrom(act.run).map((of) => (of === CALLS ? 1 : act.micros));
  const lines: number[] = [];
  let { accounts } = state;
  for (const [n, of] of takenFrom(act.run).entries()) {
    const now = accounts[of] ?? account(0);
    const amount = amounts[n] ?? 0;
    if (act.enforced && now.spent + now.reserved + now.over + amount > now.cap) return { said: 'refused', state };
    const line = act.enforced ? amount : Math.max(0, Math.min(amount, now.cap - now.spent - now.reserved));
    lines.push(line);
    accounts = replaced(accounts, of, { ...now, reserved: now.reserved + line });
  }
  const warrant: Warrant = { run: act.run, step: act.step, state: 'issued', bound: act.micros, lines };
  return { said: 'allowed', state: { ...state, accounts, warrants: [...state.warrants, warrant] } };
}

type Kept = Readonly<Record<string, Balance | undefined>>;

/**
 * Every state after some order of the acts that gives these answers and balances, from any of the states before; none where
 * no order explains them. They may be several: balances do not tell which of two reservations got the rest of a cap.
 */
export function explained(
  states: readonly ModelState[],
  acts: readonly Numbered[],
  said: readonly Said[],
  kept: Kept,
): readonly ModelState[] {
  const ends = new Map<string, ModelState>();
  for (const state of states)
    for (const order of orders(acts.map((_, at) => at))) {
      const end = replay(state, acts, said, order);
      if (end === null || !agrees(end, kept)) continue;
      const warrants = [...end.warrants].sort((a, b) => a.step - b.step);
      ends.set(JSON.stringify([end.accounts, warrants]), { ...end, warrants });
    }
  return [...ends.values()];
}

function replay(
  state: ModelState,
  acts: readonly Numbered[],
  said: readonly Said[],
  order: readonly number[],
): ModelState | null {
  let now = state;
  for (const at of order) {
    const act = acts[at];
    if (act === undefined || said[at] === 'crashed') continue;
    const after = apply(now, act);
    if (said[at] !== 'lost' && after.said !== said[at]) return null;
    now = after.state;
  }
  return now;
}

function agrees({ accounts }: ModelState, kept: Kept): boolean {
  return ['first', 'second', 'tenant/usd_micros', 'tenant/calls'].every((name, at) => {
    const model = accounts[at] ?? account(0);
    // An account that nothing was asked of yet does not exist.
    const { spent, reserved, over } = kept[name] ?? { spent: 0n, reserved: 0n, over: 0n };
    return spent === BigInt(model.spent) && reserved === BigInt(model.reserved) && over === BigInt(model.over);
  });
}

const orders = (of: readonly number[]): readonly (readonly number[])[] =>
  of.length <= 1
    ? [of]
    : of.flatMap((one) => orders(of.filter((other) => other !== one)).map((rest) => [one, ...rest]));
