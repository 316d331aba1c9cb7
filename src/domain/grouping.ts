/**
 * What comes while others are under way travels together: one transaction, one commit, one wait for a lock for all of them.
 * Nobody waits for company, so what comes alone is as fast as before. Deliberately without knowing what is sent.
 */

export type GroupBounds<Item> = {
  /** Groups under way at once. */
  readonly groups: number;
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

type Send<Item, Answer> = (items: readonly Item[]) => Promise<readonly (Answer | PromiseLike<Answer>)[]>;

/** @param send answers each item, in their order, now or later; what it throws, all are told */
export function inGroups<Item, Answer>(
  bounds: GroupBounds<Item>,
  send: Send<Item, Answer>,
): (item: Item) => Promise<Answer> {
  const waiting: Waiting<Item, Answer>[] = [];
  let underWay = 0;
  const next = (): void => {
    while (underWay < bounds.groups && waiting.length > 0) {
      underWay += 1;
      const group = takeGroup(waiting, bounds);
      void deliver(group, send).finally(() => {
        underWay -= 1;
        next();
      });
    }
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

async function deliver<Item, Answer>(group: readonly Waiting<Item, Answer>[], send: Send<Item, Answer>): Promise<void> {
  try {
    const answers = await send(group.map(({ item }) => item));
    if (answers.length !== group.length) throw new Error('not every item of a group was answered');
    for (const [at, one] of group.entries()) one.answered(answers[at] as Answer | PromiseLike<Answer>);
  } catch (error) {
    for (const one of group) one.failed(error);
  }
}
