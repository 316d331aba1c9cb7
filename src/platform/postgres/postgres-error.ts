/**
 * Turns an error of opening a PostgreSQL connection into a sentence for whoever starts ROK: what failed, where, and
 * what to do. Not for errors of statements.
 */
import { StartError } from '../start-error.js';

/** host:port/database of a URL, never its user or password. */
export function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port === '' ? '5432' : port}${pathname}`;
}

const refusals: Readonly<Record<string, { readonly what: string; readonly hint: string }>> = {
  '28P01': { what: 'refused the password', hint: 'correct the password in the URL' },
  '28000': { what: 'refused the login', hint: 'correct the login in the URL, or allow it in pg_hba.conf' },
  '3D000': { what: 'has no such database', hint: 'create it, or correct the name in the URL' },
  '22023': { what: 'has no such login', hint: 'run the migrations first: they create the logins' },
  '42501': { what: 'does not let this login become another', hint: 'give each login a URL of its own' },
  '53300': { what: 'has no free connection', hint: 'raise max_connections, or start fewer workers' },
  '57P03': { what: 'is still starting up or shutting down', hint: 'wait for it and start again' },
};

export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

export function toStartError(error: unknown, url: string, who: string): StartError {
  const code = sqlState(error);
  const refused = code === undefined ? undefined : refusals[code];
  if (refused !== undefined) {
    return new StartError({
      code: 'postgres_refused',
      message: `PostgreSQL at \`${placeOf(url)}\` ${refused.what} (as \`${who}\`, ${code ?? ''})`,
      hint: refused.hint,
      exitCode: 9,
      cause: error,
    });
  }
  const why = code ?? (error instanceof Error && error.message !== '' ? error.message : 'no answer');
  return new StartError({
    code: 'postgres_unreachable',
    message: `PostgreSQL at \`${placeOf(url)}\` cannot be reached (${why})`,
    hint: 'start it, or set `ROK_DATABASE_URL` to where it runs; `npm start` brings one of its own',
    exitCode: 9,
    cause: error,
  });
}
