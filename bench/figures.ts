/** Figures of a benchmark and their goals. A goal is a bound on one side; what has none is printed only. */
export type Figure = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** The design's own goal, where this one is looser for now. */
  readonly design?: string;
};
export type Benchmark = {
  readonly name: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly figures: readonly Figure[];
  /** What is worth reading beside them. */
  readonly notes: readonly string[];
};

/** Nearest rank. @param share 0.5 for the median */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** NaN passes nothing. */
export const passes = ({ value, atMost, atLeast }: Figure): boolean =>
  (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast);

const goalOf = ({ atMost, atLeast }: Figure): string | null =>
  atMost !== undefined ? `<= ${atMost}` : atLeast !== undefined ? `>= ${atLeast}` : null;
const rounded = (value: number): number => Number(value.toPrecision(4));

export function linesOf({ figures, notes }: Benchmark): readonly string[] {
  return [
    ...figures.map((figure) => {
      const goal = goalOf(figure);
      const said = goal === null ? '' : `  goal ${goal}  ${passes(figure) ? 'pass' : 'MISSED'}`;
      const design = figure.design === undefined ? '' : `  (design: ${figure.design})`;
      return `${figure.name.padEnd(34)} ${`${rounded(figure.value)} ${figure.unit}`.padEnd(12)}${said}${design}`;
    }),
    ...notes,
  ];
}

export function jsonOf({ name, settings, figures }: Benchmark): string {
  return JSON.stringify({
    benchmark: name,
    settings,
    figures: Object.fromEntries(figures.map(({ name: figure, value }) => [figure, rounded(value)])),
    goal: Object.fromEntries(
      figures.flatMap((figure) => {
        const goal = goalOf(figure);
        return goal === null ? [] : [[figure.name, goal]];
      }),
    ),
    pass: figures.every(passes),
  });
}
