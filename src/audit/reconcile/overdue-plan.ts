/**
 * The pure parts of reconciling: what to do about a run past its deadline, and where to search for unclaimed executions
 * next. The audit only signals and records; repair belongs to deciding and executing.
 */

/** What Temporal says of an execution; `NOT_FOUND` when it says nothing. */
export type ExecutionStatus =
  | 'RUNNING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'
  | 'TERMINATED'
  | 'CONTINUED_AS_NEW'
  | 'TIMED_OUT'
  | 'PAUSED'
  | 'UNSPECIFIED'
  | 'UNKNOWN'
  | 'NOT_FOUND';

export type OverdueStep =
  | { readonly do: 'signal' }
  | { readonly do: 'look at the latest' }
  | { readonly do: 'record as orphan' }
  /** Temporal does not know yet: the next sweep asks again. */
  | { readonly do: 'nothing' };

/** For a run that is past its deadline and not over. */
export function overdueStep(status: ExecutionStatus): OverdueStep {
  switch (status) {
    case 'RUNNING':
    case 'PAUSED':
      return { do: 'signal' };
    case 'CONTINUED_AS_NEW':
      return { do: 'look at the latest' };
    case 'COMPLETED':
    case 'FAILED':
    case 'CANCELLED':
    case 'TERMINATED':
    case 'TIMED_OUT':
    case 'NOT_FOUND':
      return { do: 'record as orphan' };
    case 'UNSPECIFIED':
    case 'UNKNOWN':
      return { do: 'nothing' };
  }
}

export type Span = { readonly after: Date; readonly until: Date };

/** How far back the very first search goes, how much it takes at once, and how late Temporal's visibility may be. */
const UNCLAIMED_SEARCH = { reachMs: 86_400_000, spanMs: 3_600_000, lagMs: 300_000 } as const;

/**
 * The spans of start times still to search, oldest first, up to `settledMs` ago: a younger execution may yet open its run.
 * @param searched how far the last search came; null before the first
 */
export function unclaimedSpans(now: Date, searched: Date | null, settledMs: number): readonly Span[] {
  const end = now.getTime() - settledMs;
  const from = searched === null ? end - UNCLAIMED_SEARCH.reachMs : searched.getTime() - UNCLAIMED_SEARCH.lagMs;
  const spans: Span[] = [];
  for (let at = from; at < end; at += UNCLAIMED_SEARCH.spanMs)
    spans.push({ after: new Date(at), until: new Date(Math.min(at + UNCLAIMED_SEARCH.spanMs, end)) });
  return spans;
}
