/** What one run may use. Money is a decimal string of micro-USD at every boundary (see money.ts). */
export type Limits = {
  readonly usdMicros: string;
  readonly tokens: number;
  readonly steps: number;
  readonly modelCalls: number;
  readonly wallTimeMs: number;
  /** Calls in a row with one request and one result that are taken for no progress. */
  readonly noProgress: number;
  /** Calls allowed per skill; a skill that is not named has no limit of its own. */
  readonly skillCalls: Readonly<Record<string, number>>;
};

export const DEFAULT_LIMITS: Limits = {
  usdMicros: '1000000',
  tokens: 2_000_000,
  steps: 100,
  modelCalls: 100,
  wallTimeMs: 3_600_000,
  noProgress: 5,
  skillCalls: {},
};

/** The count under this name, which may be any text: `constructor` is not a count of every object. */
export const countOf = (counts: Readonly<Record<string, number>>, name: string): number | undefined =>
  Object.hasOwn(counts, name) ? counts[name] : undefined;

/** The tighter of each limit: a spec can lower what its agent grants, never raise it. */
export function tighten(granted: Limits, asked: Partial<Limits>): Limits {
  const least = (key: Exclude<keyof Limits, 'usdMicros' | 'skillCalls'>): number =>
    Math.min(granted[key], asked[key] ?? granted[key]);
  const skillCalls: Record<string, number> = { ...granted.skillCalls };
  for (const [skill, calls] of Object.entries(asked.skillCalls ?? {}))
    skillCalls[skill] = Math.min(countOf(skillCalls, skill) ?? calls, calls);
  const asMicros = BigInt(asked.usdMicros ?? granted.usdMicros);
  return {
    usdMicros: (asMicros < BigInt(granted.usdMicros) ? asMicros : BigInt(granted.usdMicros)).toString(),
    tokens: least('tokens'),
    steps: least('steps'),
    modelCalls: least('modelCalls'),
    wallTimeMs: least('wallTimeMs'),
    noProgress: least('noProgress'),
    skillCalls,
  };
}
