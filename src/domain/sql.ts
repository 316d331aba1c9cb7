/**
 * The interface by which a power asks the database. It is not a connection and knows no driver: platform/ makes pools
 * and passes them in, so that no power opens one.
 */
export type Row = Readonly<Record<string, unknown>>;

/** One connection, or a transaction on it. `bigint` columns come as bigint, `timestamptz` as RFC 3339 UTC with microseconds. */
export interface Sql {
  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]>;
}

/** A pool. `query` outside of `transaction` is a transaction of its own. */
export interface Database extends Sql {
  /**
   * Commits what `work` did, or nothing of it. A statement that `work` does not wait for travels with the commit, and fails it
   * where it fails; when `signal` aborts, the connection is destroyed and the call rejects at once.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>, options?: { readonly signal?: AbortSignal }): Promise<T>;
  /** The same, but when `signal` aborts, what is under way is given up with its connection, and nothing new is begun. */
  until(signal: AbortSignal): Database;
  close(): Promise<void>;
}
