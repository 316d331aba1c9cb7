/** What a scenario of chaos is asked and what it answers. */
export type Asked = { readonly seed: number; readonly minutes: number; readonly runs: number };

/** Harm that was done, and how many runs were open at that moment. */
export type Injection = { readonly at: string; readonly what: string; readonly inFlight: number };
/** Something that must be so, whether it is, and what was seen. */
export type Goal = { readonly name: string; readonly held: boolean; readonly seen: string };
export type Answer = {
  readonly injections: readonly Injection[];
  readonly figures: Readonly<Record<string, number>>;
  readonly goals: readonly Goal[];
  /** What is worth reading beside them. */
  readonly notes: readonly string[];
};
export type Scenario = (asked: Asked) => Promise<Answer>;
/** Less harm than this with work in flight proves nothing. */
export const LEAST_INJECTIONS = 2;

export type Result = 'pass' | 'fail' | 'INVALID';
export function resultOf({ injections, goals }: Answer): Result {
  if (injections.filter(({ inFlight }) => inFlight > 0).length < LEAST_INJECTIONS) return 'INVALID';
  return goals.every(({ held }) => held) ? 'pass' : 'fail';
}

export function linesOf({ injections, figures, goals, notes }: Answer): readonly string[] {
  const count = new Map<string, number>();
  for (const { what } of injections) count.set(what, (count.get(what) ?? 0) + 1);
  return [
    ...[...count].map(([what, times]) => `${what.padEnd(34)} ${times} times`),
    ...Object.entries(figures).map(([name, value]) => `${name.padEnd(34)} ${Math.round(value * 10) / 10}`),
    ...notes,
    ...goals.map(({ name, held, seen }) => `${held ? 'held  ' : 'BROKEN'} ${name}: ${seen}`),
  ];
}

export function jsonOf(scenario: string, asked: Asked, answer: Answer, machine: string): string {
  const { injections, figures, goals } = answer;
  return JSON.stringify({
    scenario,
    settings: { ...asked, machine },
    injections: injections.length,
    injections_in_flight: injections.filter(({ inFlight }) => inFlight > 0).length,
    figures,
    goal: Object.fromEntries(goals.map(({ name, held }) => [name, held])),
    result: resultOf(answer),
    pass: resultOf(answer) === 'pass',
  });
}
