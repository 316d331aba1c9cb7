/**
 * The database logins and how long each may keep the database busy. Deliberately without their rights: those stand as
 * grants beside each table in sql/.
 */
export const logins = ['decide', 'observe', 'execute', 'audit', 'read'] as const;

export type Login = (typeof logins)[number];

/** The role's name in PostgreSQL. */
export function roleOf(login: Login): `rok_${Login}` {
  return `rok_${login}`;
}

/** 0 means: no limit. */
export interface LoginLimits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly idleInTransactionTimeoutMs: number;
  /** How long the client waits for an answer: the server's own limits say nothing where the connection is silent. */
  readonly answerTimeoutMs: number;
}

// A local activity has 3 s: a statement must have failed before its connection is destroyed under it, first by the server's
// word, and where that does not come by the client's patience.
const inTheWayOfARun: LoginLimits = {
  statementTimeoutMs: 2_000,
  lockTimeoutMs: 1_000,
  idleInTransactionTimeoutMs: 5_000,
  answerTimeoutMs: 2_500,
};
const besideTheRuns: LoginLimits = {
  statementTimeoutMs: 30_000,
  lockTimeoutMs: 30_000,
  // Whoever is idle for longer has lost its connection, and keeps locks from the others.
  idleInTransactionTimeoutMs: 5_000,
  answerTimeoutMs: 32_000,
};

const limits: Readonly<Record<Login, LoginLimits>> = {
  decide: inTheWayOfARun,
  observe: inTheWayOfARun,
  execute: inTheWayOfARun,
  audit: besideTheRuns,
  read: besideTheRuns,
};

export function limitsOf(login: Login): LoginLimits {
  return limits[login];
}

/**
 * Who works for runs looks rows up by key, and so must the checks of foreign keys at its commit, whose plans a session may have
 * made while the tables were small: a step's cost must not grow. So it reads no whole table, and takes the newest in the order
 * of a key instead of sorting all there are.
 */
export const looksUpByKey = (login: Login): boolean => login === 'decide' || login === 'execute';
