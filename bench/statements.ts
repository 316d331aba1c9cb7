/**
 * Where time goes in PostgreSQL, seen from this process: every transaction and statement that the driver is given while a
 * profile is open, by what it is. For benchmarks only; it changes what is measured a little.
 */
import pg from 'pg';

type Sum = { count: number; ms: number };
type Query = (this: pg.Client, ...args: unknown[]) => unknown;

export type Profile = { lines(perRun: number): readonly string[]; close(): void };

export function openProfile(): Profile {
  const sums = new Map<string, Sum>();
  const transactions = new WeakMap<pg.Client, { began: number; name: string }>();
  const add = (name: string, ms: number): void => {
    const sum = sums.get(name) ?? { count: 0, ms: 0 };
    sums.set(name, { count: sum.count + 1, ms: sum.ms + ms });
  };
  const prototype = pg.Client.prototype as { query: Query };
  // Called with the client it was called on.
  const { query: original } = prototype;
  const timed: Query = function (...args) {
    const began = performance.now();
    const text = textOf(args[0]);
    const name = nameOf(text);
    const open = transactions.get(this);
    if (text === 'BEGIN') transactions.set(this, { began, name: '' });
    else if (text === 'ROLLBACK') transactions.delete(this);
    else if (open?.name === '') open.name = name;
    const answer = original.apply(this, args);
    if (answer instanceof Promise)
      answer.then(
        () => {
          const ended = performance.now();
          if (text !== 'BEGIN') add(`  ${open === undefined ? '' : `[${open.name}] `}${name}`, ended - began);
          if (text === 'COMMIT' && open !== undefined) {
            add(`transaction ${open.name}`, ended - open.began);
            transactions.delete(this);
          }
        },
        () => undefined,
      );
    return answer;
  };
  prototype.query = timed;
  return {
    lines: (runs) =>
      [...sums]
        .sort(([, a], [, b]) => b.ms - a.ms)
        .filter(([, { ms }]) => ms / runs > 0.5)
        .map(
          ([name, { count, ms }]) =>
            `${(ms / runs).toFixed(1).padStart(8)} ms a run = ${(count / runs).toFixed(1).padStart(5)} × ${(ms / count).toFixed(2)} ms  ${name}`,
        ),
    close() {
      prototype.query = original;
    },
  };
}

const textOf = (query: unknown): string =>
  typeof query === 'string' ? query : ((query as { readonly text?: string } | undefined)?.text ?? '');

/** The function called, or the verb and the first relation. */
function nameOf(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  const call = /\b((?:decide|execute|observe|audit)\.[a-z_]+)\(/.exec(flat);
  const relation = /\b(?:INTO|FROM|UPDATE) ((?:decide|execute|observe|audit)\.[a-z_]+)/.exec(flat);
  const named = /^SELECT \(?(?:length|[a-z_]+\.[a-z_]+\()/.test(flat) ? (call ?? relation) : (relation ?? call);
  const verb = flat.split(' ')[0] ?? '';
  return named === null ? verb : `${verb} ${named[1] ?? ''}${/FOR NO KEY UPDATE/.test(flat) ? ' (lock)' : ''}`;
}
