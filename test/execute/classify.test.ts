import { describe, expect, it } from '@jest/globals';
import { RokError } from '../../src/domain/errors.js';
import { classifyModelError, classifySkillError } from '../../src/execute/calls/classify.js';

const now = new Date('2026-01-01T00:00:00Z');
const withFields = (fields: object, message = 'secret sk-123'): Error => Object.assign(new Error(message), fields);
const refused = { code: 'ECONNREFUSED', syscall: 'connect' };

describe('an error of a model call', () => {
  it.each([400, 401, 403, 404, 413, 422])('is a refusal before anything was charged: http %d', (statusCode) => {
    expect(classifyModelError(withFields({ statusCode }), now)).toEqual({ status: 'failed', code: 'provider_refused' });
  });

  it.each([
    ['7', 7_000],
    ['0.5', 500],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['999999999', 86_400_000],
  ])('is a rate limit with the time to wait: retry-after %s', (header, retryAfterMs) => {
    const error = withFields({ statusCode: 429, responseHeaders: { 'retry-after': header } });
    expect(classifyModelError(error, now)).toEqual({ status: 'failed', code: 'provider_rate_limited', retryAfterMs });
  });

  it('is a rate limit without a time where the header is absent or unreadable', () => {
    const expected = { status: 'failed', code: 'provider_rate_limited' };
    expect(classifyModelError(withFields({ statusCode: 429 }), now)).toEqual(expected);
    expect(
      classifyModelError(withFields({ statusCode: 429, responseHeaders: { 'retry-after': 'soon' } }), now),
    ).toEqual(expected);
  });

  it.each([
    ['connection refused', withFields({ cause: withFields(refused) })],
    ['name not found', withFields({ code: 'ENOTFOUND', syscall: 'getaddrinfo' })],
    ['never connected in time', withFields({ cause: withFields({ code: 'UND_ERR_CONNECT_TIMEOUT' }) })],
    [
      'every address refused',
      withFields({ cause: withFields({ errors: [withFields(refused), withFields(refused)] }) }),
    ],
  ])('failed before the first byte: %s', (_, error) => {
    expect(classifyModelError(error, now)).toEqual({ status: 'failed', code: 'provider_unreachable' });
  });

  it.each<readonly [string, unknown, string]>([
    ['server error', withFields({ statusCode: 500 }), 'http 500'],
    ['request timeout', withFields({ statusCode: 408 }), 'http 408'],
    ['conflict', withFields({ statusCode: 409 }), 'http 409'],
    ['redirect', withFields({ statusCode: 307 }), 'http 307'],
    ['unreadable answer', withFields({ statusCode: 200 }), 'unreadable answer (http 200)'],
    [
      'server error whose body was cut by a refused connection',
      withFields({ statusCode: 502, cause: refused }),
      'http 502',
    ],
    ['reset', withFields({ cause: withFields({ code: 'ECONNRESET' }) }), 'error ECONNRESET'],
    ['refused, but not while connecting', withFields({ code: 'ECONNREFUSED', syscall: 'write' }), 'error ECONNREFUSED'],
    [
      'one address of two refused',
      withFields({ errors: [withFields(refused), withFields({ code: 'ETIMEDOUT' })] }),
      'error Error',
    ],
    ['cut stream', withFields({ code: 'UND_ERR_SOCKET' }), 'error UND_ERR_SOCKET'],
    ['abort', new DOMException('secret', 'AbortError'), 'aborted'],
    ['timeout', new DOMException('secret', 'TimeoutError'), 'timed out'],
    ['a thrown text', 'secret', 'error'],
    ['undefined', undefined, 'error'],
    ['a coded error of another kind', new RokError('content_missing', 'secret'), 'error RokError'],
  ])('may have been charged, and the cause tells no secret: %s', (_, error, cause) => {
    expect(classifyModelError(error, now)).toEqual({ status: 'unknown', cause });
  });

  it('survives an error that causes itself', () => {
    const error: { name: string; cause?: unknown } = { name: 'Loop' };
    error.cause = error;
    expect(classifyModelError(error, now)).toEqual({ status: 'unknown', cause: 'error Loop' });
  });
});

describe('an error of a skill', () => {
  it('is a failure only where the skill says that it did nothing', () => {
    expect(classifySkillError(new RokError('skill_failed', 'nothing done'))).toEqual({
      status: 'failed',
      code: 'skill_failed',
    });
  });

  it('is unknown even where a model provider would be believed', () => {
    expect(classifySkillError(withFields({ statusCode: 404 }))).toEqual({ status: 'unknown', cause: 'error Error' });
    expect(classifySkillError(withFields(refused))).toEqual({ status: 'unknown', cause: 'error ECONNREFUSED' });
  });
});
