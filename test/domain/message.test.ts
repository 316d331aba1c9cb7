import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { notFor } from '../../src/domain/assertion-claims.js';
import { ACTOR_VERBS } from '../../src/domain/protocol/decide.js';
import { MESSAGE_BOUNDS, messageDigest, readMessage } from '../../src/domain/protocol/message.js';
import { isActorClaim } from '../../src/domain/run-spec.js';
import { isStorable } from '../../src/domain/text.js';

const anything = fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true, withDate: true });
const verb = fc.constantFrom(...ACTOR_VERBS);
const text = (maxLength: number, minLength = 0) =>
  fc.string({ unit: 'binary', minLength, maxLength }).filter((one) => one.length <= maxLength && isStorable(one));
const claim = fc.oneof(
  fc.record({ assertion: text(MESSAGE_BOUNDS.assertionChars) }),
  fc.record(
    {
      local: text(MESSAGE_BOUNDS.nameChars, 1),
      roles: fc.array(text(MESSAGE_BOUNDS.roleChars), { maxLength: MESSAGE_BOUNDS.roles }),
    },
    { requiredKeys: ['local'] },
  ),
);
const hold = fc.integer({ min: 1, max: MESSAGE_BOUNDS.hold });
const action = fc.stringMatching(/^[0-9a-f]{64}$/);

describe('a message', () => {
  it('that is anything at all, under any id, is answered: read, or one problem in text that can be kept', () => {
    fc.assert(
      fc.property(verb, anything, anything, (one, id, value) => {
        const read = readMessage(one, id, value);
        if (!read.ok) expect(isStorable(read.problem)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('of the right form is read as it is, whatever its texts are', () => {
    const steering = fc.constantFrom('pause', 'resume', 'cancel', 'kill', 'finalize');
    fc.assert(
      fc.property(
        steering,
        text(MESSAGE_BOUNDS.idChars, 1),
        claim,
        text(MESSAGE_BOUNDS.reasonChars),
        (one, id, by, reason) => {
          expect(readMessage(one, id, { actor: by, reason })).toEqual({
            ok: true,
            message: { verb: one, updateId: id, claim: by, reason },
          });
        },
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom('approve', 'reject'), claim, hold, action, (one, by, number, digest) => {
        expect(readMessage(one, 'u', { actor: by, hold: number, digest })).toEqual({
          ok: true,
          message: { verb: one, updateId: 'u', claim: by, hold: number, digest },
        });
      }),
    );
  });

  it.each(['x', 2 ** 40, 2 ** 31, 1.5, 0, -1, Number.NaN, null, [1], true, 1n])(
    'names no hold by %p, and of a kill none at all',
    (bad) => {
      const said = { actor: { local: 'olga' }, hold: bad, digest: 'a'.repeat(64) };
      expect(readMessage('approve', 'u', said).ok).toBe(false);
      expect(readMessage('kill', 'u', said)).toEqual({ ok: false, problem: '`hold` is not a field of kill' });
    },
  );

  it.each(['', 'a\0b', '\uD800', 'x'.repeat(257), 7, null, undefined])('has no id %p', (id) => {
    expect(readMessage('pause', id, { actor: { local: 'olga' } }).ok).toBe(false);
  });

  it('takes the claims that a spec takes, and no others', () => {
    fc.assert(
      fc.property(fc.oneof(claim, anything, fc.record({ local: anything, roles: anything })), (by) => {
        expect(readMessage('pause', 'u', { actor: by }).ok).toBe(isActorClaim(by));
      }),
      { numRuns: 2_000 },
    );
  });

  it('names its event by a digest, whatever its id is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (id) => {
        expect(messageDigest(id)).toMatch(/^[0-9a-f]{64}$/);
      }),
    );
  });
});

describe('what an assertion says that it is for', () => {
  const purpose = { workflowId: 'rok/acme/a', verb: 'approve', updateId: 'u', digest: 'd', nowMs: 1_000_000_000 };
  const claims = { aud: 'rok/acme/a', verb: 'approve', update: 'u', action: 'd', iat: 1_000_000, exp: 1_000_120 };
  const signed = (over: object) =>
    `e30.${Buffer.from(JSON.stringify({ ...claims, ...over })).toString('base64url')}.c2ln`;

  it('is let through where it may be this, in any letters', () => {
    expect(notFor(signed({}), purpose)).toBeNull();
    expect(notFor(signed({ aud: ['other', 'rok/acme/a'] }), purpose)).toBeNull();
    fc.assert(
      fc.property(text(40, 1), (id) => {
        const named = { ...purpose, workflowId: id, updateId: id };
        expect(notFor(signed({ aud: id, update: id }), named)).toBeNull();
      }),
    );
  });

  it.each([
    ['workflow', { aud: 'rok/acme/b' }],
    ['act', { verb: 'kill' }],
    ['update', { update: 'v' }],
    ['action', { action: 'e' }],
    ['time', { exp: 999_000, iat: 998_900 }],
    ['time', { exp: 1_001_000, iat: 1_000_900 }],
  ])('is refused for another %s', (what, over) => {
    expect(notFor(signed(over), purpose)).toBe(
      what === 'time' ? 'the assertion is of another time' : `the assertion is for another ${what}`,
    );
  });

  it('that is anything at all is answered', () => {
    const parts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String()), { maxLength: 5 });
    fc.assert(
      fc.property(parts, (some) => {
        expect(notFor(some.join('.'), purpose)).not.toBeNull();
      }),
      { numRuns: 2_000 },
    );
    for (const payload of ['null', '[]', '7', '"x"', '{', '\uFFFD'])
      expect(notFor(`e30.${Buffer.from(payload).toString('base64url')}.c2ln`, purpose)).not.toBeNull();
  });
});
