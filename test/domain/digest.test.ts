import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { contextDigest, NO_CONTEXT, type ContextEntry } from '../../src/domain/context.js';
import { digest, digestJson, DIGEST_TAGS, type DigestTag } from '../../src/domain/digest.js';
import { asDigest, asRunId, runIdOf, uuidOf, type Digest } from '../../src/domain/ids.js';
import { actionDigest, requestDigest, type Intent } from '../../src/domain/intent.js';

const tags = Object.values(DIGEST_TAGS);
const zero = '0'.repeat(64) as Digest;
const one = '1'.repeat(64) as Digest;
const intent: Intent = {
  step: 1,
  attempt: 1,
  kind: 'skill.call',
  target: 'orders.refund@1',
  argumentsDigest: one,
  contextDigest: NO_CONTEXT,
  askedOutputTokens: 10,
  access: 'write',
};

/** The definition once more, by another library. */
function byHand(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part, 'utf8');
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    hash.update(length).update(bytes);
  }
  return hash.digest('hex');
}

describe('a digest', () => {
  it('is SHA-256 over tag and parts, each after its length in bytes', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(...tags), texts, (tag, parts) => {
        expect(digest(tag, ...parts)).toBe(byHand(tag, ...parts));
      }),
    );
  });

  it('differs where the parts are cut differently, though joined they are the same', () => {
    expect(digest('rok.spec.v1', 'ab', 'c')).not.toBe(digest('rok.spec.v1', 'a', 'bc'));
    expect(digest('rok.spec.v1', 'abc')).not.toBe(digest('rok.spec.v1', 'abc', ''));
  });

  it('differs under every tag, and no tag is used for two kinds', () => {
    expect(new Set(tags).size).toBe(tags.length);
    expect(new Set(tags.map((tag: DigestTag) => digestJson(tag, { a: 1 }))).size).toBe(tags.length);
  });
});

describe('the digests of an intent', () => {
  it('leave step and attempt out, so that a later attempt is the same action', () => {
    expect(actionDigest({ ...intent, step: 9, attempt: 3 } as Intent)).toBe(actionDigest(intent));
  });

  it.each([
    ['kind', { kind: 'model.call' }],
    ['target', { target: 'orders.refund@2' }],
    ['arguments', { argumentsDigest: zero }],
  ] as const)('both change with the %s', (_name, change) => {
    expect(requestDigest({ ...intent, ...change })).not.toBe(requestDigest(intent));
    expect(actionDigest({ ...intent, ...change })).not.toBe(actionDigest(intent));
  });

  it.each([
    ['context', { contextDigest: one }],
    ['output limit', { askedOutputTokens: 11 }],
    ['access', { access: 'read' }],
  ] as const)('differ in the action alone with the %s', (_name, change) => {
    expect(requestDigest({ ...intent, ...change })).toBe(requestDigest(intent));
    expect(actionDigest({ ...intent, ...change })).not.toBe(actionDigest(intent));
  });
});

describe('a context', () => {
  const entry: ContextEntry = { role: 'user', content: one };
  it('is named by base and entries, and folding in two goes names the same', () => {
    const rest: ContextEntry = { role: 'tool', content: zero, callId: 'c', skill: 's' };
    const whole = contextDigest({ base: null, added: [entry, rest] });
    expect(contextDigest({ base: contextDigest({ base: null, added: [entry] }), added: [rest] })).toBe(whole);
    expect(contextDigest({ base: null, added: [rest, entry] })).not.toBe(whole);
  });
  it('to which nothing is added is its base', () => {
    expect(contextDigest({ base: one, added: [] })).toBe(one);
    expect(contextDigest({ base: null, added: [] })).toBe(NO_CONTEXT);
  });
});

describe('ids', () => {
  it('go to uuids and back, and anything else is refused', () => {
    const uuid = '01900000-0000-7000-8000-000000000000';
    expect(uuidOf(runIdOf(uuid))).toBe(uuid);
    for (const bad of ['', uuid, `run_${uuid}x`, `run_${uuid}\n`, "run_' OR 1=1"])
      expect(() => asRunId(bad)).toThrow(RangeError);
    for (const bad of ['', 'F'.repeat(64), 'f'.repeat(63), `${'f'.repeat(64)}\n`])
      expect(() => asDigest(bad)).toThrow(RangeError);
  });
});
