/**
 * One local activity at a time. Two at once would each record a marker when they end, in whatever order; a replay resolves
 * them in the order they were asked, and what each makes the workflow do next would come in another order than recorded.
 * Those that are awaited together (a decision and the trace beside it) count as one.
 */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all before it have ended, however they ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
