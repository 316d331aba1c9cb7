/**
 * Finds which of many runs cannot be judged: a set that fails is split until single runs fail, the largest parts first,
 * so that most runs are judged before the failing ones are examined. Knows no SQL: the caller passes in how to judge
 * and what to do with a run that fails alone.
 */
const PARTS = 4;

export type Hands<T> = {
  readonly judge: (runs: readonly string[]) => Promise<readonly T[]>;
  /** Whether anything can be judged at all; null where there is nothing to tell by. @throws where nothing can */
  readonly canJudge: () => Promise<boolean | null>;
};
export type Alone = { readonly run: string; readonly error: unknown };
/**
 * How others fare meanwhile: what fails alone fails by its own fault only where others are `judged`, or could be `ruled` on
 * without a row being written.
 */
export type Others = 'judged' | 'ruled' | 'unknown';
export type Isolated<T> = {
  readonly judged: readonly T[];
  readonly alone: readonly Alone[];
  readonly others: Others;
};

/** @param failed the first part, known to fail already @throws when nothing can be judged: then no run is at fault */
export async function isolate<T>(
  { judge, canJudge }: Hands<T>,
  failed: readonly string[],
  rest: readonly (readonly string[])[],
): Promise<Isolated<T>> {
  const queue = [...rest, ...parts(failed)];
  const judged: T[] = [];
  const alone: Alone[] = [];
  let can: boolean | null | undefined;
  for (let some = queue.shift(); some !== undefined; some = queue.shift()) {
    try {
      judged.push(...(await judge(some)));
    } catch (error) {
      if (judged.length === 0 && can === undefined)
        can = await canJudge().catch(() => {
          throw error;
        });
      if (some.length === 1) alone.push(...some.map((run) => ({ run, error })));
      else queue.push(...parts(some));
    }
  }
  return { judged, alone, others: judged.length > 0 ? 'judged' : can === true ? 'ruled' : 'unknown' };
}

function parts(runs: readonly string[]): readonly (readonly string[])[] {
  const size = Math.max(1, Math.ceil(runs.length / PARTS));
  return chunks(runs, size);
}

export function chunks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  const cut: T[][] = [];
  for (let at = 0; at < list.length; at += size) cut.push(list.slice(at, at + size));
  return cut;
}
