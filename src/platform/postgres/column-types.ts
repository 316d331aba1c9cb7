/**
 * How PostgreSQL's text becomes JavaScript values, where the driver's own choice would lose something: money past 2^53,
 * microseconds, time zones. Everything else stays as the driver does it.
 */
import pg from 'pg';

const { builtins } = pg.types;
// Typed by the driver for a few built-in types only; it knows more.
const driverParser = pg.types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown;
const textArray = 1009;
const int8Array = 1016;
const timestamptzArray = 1185;

/** `2026-01-02 03:04:05.6+00` becomes `2026-01-02T03:04:05.600000Z`; connections speak UTC. Infinity and BC stay as they are. */
export function toIsoUtc(text: string): string {
  const found = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text);
  return found ? `${found[1] ?? ''}T${found[2] ?? ''}.${(found[3] ?? '').padEnd(6, '0')}Z` : text;
}

function listOf<T>(parse: (text: string) => T): (text: string) => readonly (T | null)[] {
  const entriesOf = driverParser(textArray) as (text: string) => (string | null)[];
  return (text) => entriesOf(text).map((entry) => (entry === null ? null : parse(entry)));
}

const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [builtins.INT8, BigInt],
  [int8Array, listOf(BigInt)],
  [builtins.TIMESTAMPTZ, toIsoUtc],
  [timestamptzArray, listOf(toIsoUtc)],
  [builtins.TIMESTAMP, String],
  [builtins.DATE, String],
]);

export const columnTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : parsers.get(oid)) ??
    driverParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};
