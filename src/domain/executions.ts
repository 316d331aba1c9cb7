/**
 * Which Temporal executions must open a run. Definitions only: audit/reconcile/unclaimed-search.ts finds those that did
 * not.
 */

/** Every task queue that a control worker serves: its workflows can reach the powers, whatever their type. */
export const CONTROL_QUEUES = ['rok-control'] as const;

/** The type of a run that ROK itself brings; to be found on whichever queue it was put by mistake. */
export const GOVERNED_RUN = 'governedRun';

/**
 * The control worker's own workflows that are no runs: one carries an act of no run or for one that is there, the other ends a
 * run that is there. A type says which code is run, so nothing else can pass for them.
 */
export const WITHOUT_RUN = ['administer', 'repair'] as const;
