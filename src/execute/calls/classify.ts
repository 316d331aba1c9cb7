/**
 * Classifies the error of a call, in one place: `failed` only if certainly nothing was done or charged; everything else
 * is `unknown` and is charged in full. Pure. The cause that it returns contains neither content nor secrets, whatever
 * the error says.
 */
import { RokError, type ErrorCode } from '../../domain/errors.js';

export type Classified =
  | { readonly status: 'failed'; readonly code: ErrorCode; readonly retryAfterMs?: number }
  | { readonly status: 'unknown'; readonly cause: string };

/** HTTP statuses with which a provider refuses before it charges. */
export const UNBILLED_STATUSES = [400, 401, 403, 404, 413, 422, 429] as const;
const MAX_RETRY_AFTER_MS = 86_400_000;
const MAX_CAUSES = 8;
/** Errors of opening a connection, each with the system call that proves it was no later one. */
const NEVER_CONNECTED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect',
  ENOTFOUND: 'getaddrinfo',
  EAI_AGAIN: 'getaddrinfo',
};
/** What a model provider may say of itself: that it refused before it began. */
const REFUSED_BY_PROVIDER: readonly ErrorCode[] = ['provider_refused', 'model_unknown', 'config_invalid'];

type Fields = {
  readonly [key in 'statusCode' | 'responseHeaders' | 'code' | 'syscall' | 'cause' | 'errors' | 'name']?: unknown;
};

export function classifyModelError(error: unknown, now: Date): Classified {
  if (error instanceof RokError && REFUSED_BY_PROVIDER.includes(error.code))
    return { status: 'failed', code: error.code === 'config_invalid' ? 'provider_refused' : error.code };
  const { statusCode, responseHeaders } = fieldsOf(error);
  if (typeof statusCode === 'number') return classifyStatus(statusCode, responseHeaders, now);
  if (neverConnected(error, 0)) return { status: 'failed', code: 'provider_unreachable' };
  return { status: 'unknown', cause: causeOf(error) };
}

/** A skill may have done anything before it threw, so only its own word that it did nothing counts. */
export function classifySkillError(error: unknown): Classified {
  if (error instanceof RokError && error.code === 'skill_failed') return { status: 'failed', code: 'skill_failed' };
  return { status: 'unknown', cause: causeOf(error) };
}

function classifyStatus(statusCode: number, headers: unknown, now: Date): Classified {
  if (!UNBILLED_STATUSES.some((unbilled) => unbilled === statusCode))
    return {
      status: 'unknown',
      cause: statusCode < 300 ? `unreadable answer (http ${statusCode})` : `http ${statusCode}`,
    };
  if (statusCode !== 429) return { status: 'failed', code: 'provider_refused' };
  const retryAfterMs = retryAfter(headers, now);
  return { status: 'failed', code: 'provider_rate_limited', ...(retryAfterMs === null ? {} : { retryAfterMs }) };
}

/** Retry-After in seconds or as an HTTP date; null when it is absent or unreadable. */
function retryAfter(headers: unknown, now: Date): number | null {
  const text = (headers as Readonly<Record<string, unknown>> | null | undefined)?.['retry-after'];
  if (typeof text !== 'string') return null;
  const seconds = /^\d{1,9}(\.\d+)?$/.test(text.trim()) ? Number(text) : null;
  const ms = seconds === null ? Date.parse(text) - now.getTime() : seconds * 1000;
  return Number.isNaN(ms) ? null : Math.ceil(Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS));
}

function neverConnected(error: unknown, depth: number): boolean {
  if (depth > MAX_CAUSES) return false;
  const { code, syscall, cause, errors } = fieldsOf(error);
  // Several addresses of one name were tried: each must have refused.
  if (Array.isArray(errors) && errors.length > 0) return errors.every((each) => neverConnected(each, depth + 1));
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return true;
  if (typeof code === 'string' && code in NEVER_CONNECTED) return NEVER_CONNECTED[code] === syscall;
  return cause !== undefined && neverConnected(cause, depth + 1);
}

/** A name and a code, of the error or of what caused it; never a message, which may quote what was sent. */
export function causeOf(error: unknown, depth = 0): string {
  const { name, code, cause } = fieldsOf(error);
  if (name === 'TimeoutError') return 'timed out';
  if (name === 'AbortError' || name === 'CancelledFailure') return 'aborted';
  if (typeof code === 'string' && /^[A-Z0-9_]{2,40}$/.test(code)) return `error ${code}`;
  if (cause !== undefined && cause !== null && depth < MAX_CAUSES) return causeOf(cause, depth + 1);
  return typeof name === 'string' && /^\w{1,60}$/.test(name) ? `error ${name}` : 'error';
}

const fieldsOf = (error: unknown): Fields => (typeof error === 'object' && error !== null ? error : {});
