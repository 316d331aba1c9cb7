/**
 * What comes while others are under way travels together: one transaction, one commit, one wait for a lock for all of them.
 * Nobody waits for company, so what comes alone is as fast as before. Nobody waits behind a group that is stuck either: it
 * stops counting when it is late, and is given up when it is over its time. Deliberately without knowing what is sent.
 */

export type GroupBounds<Item> = {
  /** Groups under way at once, not counting those that are late. */
  readonly groups: number;
  /** After how long a group is late, and how many may be under way with all that are. */
  readonly late: { readonly afterMs: number; readonly atMost: number };
  /** After how long a group is given up, and its place is another's. */
  readonly deadlineMs: number;
  readonly items: number;
  /** Items that may not be in one group have the same. */
  readonly keyOf?: (item: Item) => string;
  /** Weights of a group's items together; a single one may weigh more. */
  readonly weight?: { readonly of: (item: Item) => number; readonly atMost: number };
};

type Waiting<Item, Answer> = {
  readonly item: Item;
  readonly answered: (answer: Answer | PromiseLike<Answer>) => void;
  readonly failed: (error: unknown) => void;
};

type Send<Item, Answer> = (
  items: readonly Item[],
  signal: AbortSignal,
) => Promise<readonly (Answer | PromiseLike<Answer>)[]>;

/** @param send answers each item, in their order, now or later; what it throws, all are told. Its signal aborts at the deadline */
export function inGroups<Item, Answer>(
  bounds: GroupBounds<Item>,
  send: Send<Item, Answer>,
): (item: Item) => Promise<Answer> {
  const waiting: Waiting<Item, Answer>[] = [];
  let inTime = 0;
  let underWay = 0;
  const next = (): void => {
    while (inTime < bounds.groups && underWay < bounds.late.atMost && waiting.length > 0) begin();
  };
  const begin = (): void => {
    let isLate = false;
    const stopCounting = (): void => {
      if (isLate) return;
      isLate = true;
      inTime -= 1;
    };
    const late = setTimeout(() => {
      stopCounting();
      next();
    }, bounds.late.afterMs);
    inTime += 1;
    underWay += 1;
    void deliver(takeGroup(waiting, bounds), send, bounds.deadlineMs).finally(() => {
      clearTimeout(late);
      stopCounting();
      underWay -= 1;
      next();
    });
  };
  return (item) =>
    new Promise((answered, failed) => {
      waiting.push({ item, answered, failed });
      next();
    });
}

/** In the order in which they came; what does not fit stays for the next. Never empty. */
function takeGroup<Item, Answer>(
  waiting: Waiting<Item, Answer>[],
  { items, keyOf, weight }: GroupBounds<Item>,
): readonly Waiting<Item, Answer>[] {
  const keys = new Set<string>();
  let weighs = 0;
  let at = 0;
  for (; at < waiting.length && at < items; at += 1) {
    const item = waiting[at]?.item as Item;
    const key = keyOf?.(item);
    if (key !== undefined && keys.has(key)) break;
    weighs += weight?.of(item) ?? 0;
    if (at > 0 && weight !== undefined && weighs > weight.atMost) break;
    if (key !== undefined) keys.add(key);
  }
  return waiting.splice(0, at);
}

async function deliver<Item, Answer>(
  group: readonly Waiting<Item, Answer>[],
  send: Send<Item, Answer>,
  deadlineMs: number,
): Promise<void> {
  const givingUp = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`a group was not answered within ${deadlineMs} ms`);
      givingUp.abort(error);
      reject(error);
    }, deadlineMs);
  });
  try {
    const sending = send(
      group.map(({ item }) => item),
      givingUp.signal,
    );
    const answers = await Promise.race([sending, over]);
    if (answers.length !== group.length) throw new Error('not every item of a group was answered');
    for (const [at, one] of group.entries()) one.answered(answers[at] as Answer | PromiseLike<Answer>);
  } catch (error) {
    for (const one of group) one.failed(error);
  } finally {
    clearTimeout(timer);
  }
}
