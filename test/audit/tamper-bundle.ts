/** Random changes of an exported bundle, each of bytes that its receipt covers, and what must be named where that is known. */
import {
  bundleText,
  RECORD_KINDS,
  recordKinds,
  type Bundle,
  type RecordKind,
} from '../../src/audit/evidence/evidence.js';
import { recordKey } from '../../src/audit/evidence/evidence.js';
import type { Random } from './tamper-random.js';

export type Changed = {
  readonly how: string;
  readonly text: string;
  /** The start of the answer. */ readonly names: string;
};
/** `other` is a bundle of another run; `forged` a receipt that says the same, signed by another key, and that key. */
export type Subject = {
  readonly bundle: Bundle;
  readonly other: Bundle;
  readonly forged: { readonly receipt: string; readonly keys: Bundle['keys'] };
  /** Of a run judged while open, what is added is not covered. */
  readonly final: boolean;
};
type Change = (subject: Subject, random: Random) => Omit<Changed, 'how'> | null;

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789{}[]",:\\-_.';
const STRICT = 'bundle: ';
const whole = (bundle: Bundle, names = ''): Omit<Changed, 'how'> => ({ text: bundleText(bundle), names });

/** Anywhere but in the keys, which are for convenience, and in the last line's end. */
function coveredPlace(text: string, random: Random): number {
  return random.below(text.lastIndexOf(',"keys":'));
}

const textKinds: readonly (RecordKind | 'trace')[] = [...recordKinds, 'trace'];
function someKind({ bundle }: Subject, random: Random, least = 1): RecordKind | 'trace' | null {
  const kinds = textKinds.filter((kind) => bundle[kind].length >= least);
  return kinds.length === 0 ? null : random.of(kinds);
}

const edited = (text: string, random: Random): string => {
  const at = random.below(text.length);
  return text.slice(0, at) + random.of(Array.from(LETTERS)) + text.slice(at + 1);
};
const nameOf = (kind: RecordKind, text: string): string =>
  `${RECORD_KINDS[kind]} ${recordKey(JSON.parse(text) as { readonly n: number })}`;
const withList = (bundle: Bundle, kind: RecordKind | 'trace', list: readonly unknown[]): Bundle => ({
  ...bundle,
  [kind]: list,
});

const byText = (change: (text: string, random: Random) => string | null, names = ''): Change => {
  return ({ bundle }, random) => {
    const text = change(bundleText(bundle), random);
    return text === null ? null : { text, names };
  };
};
const numberToken = (form: (token: string) => string): Change =>
  byText((text, random) => {
    const tokens = [...text.matchAll(/(?<=[:[,])\d+(?=[,}\]])/g)].filter(
      ({ index }) => index < text.lastIndexOf(',"keys":'),
    );
    const { 0: token, index } = random.of(tokens);
    return text.slice(0, index) + form(token) + text.slice(index + token.length);
  });

export const CHANGES: Readonly<Record<string, Change>> = {
  'a character': byText((text, random) => {
    const at = coveredPlace(text, random);
    return text.slice(0, at) + random.of(Array.from(LETTERS)) + text.slice(at + 1);
  }),
  'a character left out': byText((text, random) => {
    const at = coveredPlace(text, random);
    return text.slice(0, at) + text.slice(at + 1);
  }),
  'a character too many': byText((text, random) => {
    const at = coveredPlace(text, random);
    return text.slice(0, at) + random.of(Array.from(LETTERS)) + text.slice(at);
  }),
  'cut short': byText((text, random) => text.slice(0, coveredPlace(text, random)), STRICT),
  'a member twice': byText((text, random) => {
    const { 0: member, index } = random.of([...text.matchAll(/(?<=[{,])"(version|run|seq|at|receipt|verdict)":/g)]);
    return `${text.slice(0, index)}${member}1,${text.slice(index)}`;
  }, STRICT),
  'half of a surrogate pair': byText((text, random) => {
    const { index } = random.of([...text.matchAll(/(?<=":")/g)]);
    return `${text.slice(0, index)}${random.of(['\\ud800', '\\udfff', '\\uDBFF'])}${text.slice(index)}`;
  }, STRICT),
  'a fraction': numberToken((token) => `${token}.0`),
  'an exponent': numberToken((token) => `${token}e0`),
  'a leading zero': numberToken((token) => `0${token}`),
  'a minus': numberToken((token) => `-${token}`),
  'one more': numberToken((token) => String(Number(token) + 1)),
  'a record edited': (subject, random) => {
    const kind = random.of(recordKinds.filter((one) => subject.bundle[one].length > 0));
    const at = random.below(subject.bundle[kind].length);
    return whole(
      withList(
        subject.bundle,
        kind,
        subject.bundle[kind].map((text, index) => (index === at ? edited(text, random) : text)),
      ),
      RECORD_KINDS[kind],
    );
  },
  'an event edited': ({ bundle }, random) => {
    if (bundle.trace.length === 0) return null;
    const at = random.below(bundle.trace.length);
    const member = random.of(['bytes', 'hash', 'at'] as const);
    const trace = bundle.trace.map((event, index) =>
      index === at ? { ...event, [member]: edited(event[member], random) } : event,
    );
    return whole({ ...bundle, trace }, `trace event ${at + 1}: `);
  },
  'one left out': (subject, random) => {
    const kind = someKind(subject, random);
    if (kind === null) return null;
    const { bundle } = subject;
    const at = random.below(bundle[kind].length);
    const changed = withList(
      bundle,
      kind,
      (bundle[kind] as readonly unknown[]).filter((_, index) => index !== at),
    );
    if (kind !== 'trace') return whole(changed, `${nameOf(kind, bundle[kind][at] ?? '')}: it is not there`);
    return whole(changed, at === bundle.trace.length - 1 ? 'trace: the receipt states' : `trace event ${at + 1}: `);
  },
  'the tail cut': (subject, random) => {
    const kind = someKind(subject, random, 2);
    if (kind === null) return null;
    const { bundle } = subject;
    const keep = 1 + random.below(bundle[kind].length - 1);
    const changed = withList(bundle, kind, bundle[kind].slice(0, keep));
    return whole(changed, kind === 'trace' ? 'trace: ' : `${nameOf(kind, bundle[kind][keep] ?? '')}: it is not there`);
  },
  'two swapped': (subject, random) => {
    const kind = someKind(subject, random, 2);
    if (kind === null) return null;
    const list = [...(subject.bundle[kind] as readonly unknown[])];
    const [a, b] = [random.below(list.length), random.below(list.length)];
    [list[a], list[b]] = [list[b], list[a]];
    return a === b ? null : whole(withList(subject.bundle, kind, list));
  },
  'one twice': (subject, random) => {
    const kind = someKind(subject, random);
    if (kind === null) return null;
    const list = subject.bundle[kind] as readonly unknown[];
    const at = random.below(list.length);
    return whole(withList(subject.bundle, kind, [...list.slice(0, at + 1), ...list.slice(at)]));
  },
  'one put in': (subject, random) => {
    const kind = random.of(subject.final ? recordKinds : (['acks', 'amendments'] as const));
    const from = subject.bundle[kind].length > 0 ? subject.bundle : subject.other;
    if (from[kind].length === 0) return null;
    const record = (from[kind].at(-1) ?? '').replace(/"(n|step)":\d+/, `"$1":${70 + random.below(20)}`);
    const name = nameOf(kind, record);
    return whole(
      withList(subject.bundle, kind, [...subject.bundle[kind], record]),
      `${name}: the receipt does not state it`,
    );
  },
  'one of another run': (subject, random) => {
    const kind = someKind(subject, random);
    if (kind === null || subject.other[kind].length === 0) return null;
    const list = subject.bundle[kind] as readonly unknown[];
    const at = random.below(list.length);
    const record = (subject.other[kind] as readonly unknown[])[at] ?? subject.other[kind][0];
    return whole(
      withList(
        subject.bundle,
        kind,
        list.map((one, index) => (index === at ? record : one)),
      ),
    );
  },
  'a list of another run': (subject, random) => {
    const kind = random.of(textKinds);
    if (!subject.final && subject.bundle[kind].length === 0) return null;
    return whole(withList(subject.bundle, kind, subject.other[kind]));
  },
  'a part of another run': ({ bundle, other }, random) => {
    const member = random.of(['run', 'receipt', 'contract', 'verdict'] as const);
    return whole({ ...bundle, [member]: other[member] });
  },
  'another key': ({ bundle, forged }) => whole({ ...bundle, ...forged }, 'receipt.sign'),
  'parts of the receipt': ({ bundle, other }, random) => {
    const [mine, theirs] = [bundle.receipt.split('.'), other.receipt.split('.')];
    const at = random.below(3);
    return whole({
      ...bundle,
      receipt: mine.map((part, index) => (index === at ? (theirs[index] ?? '') : part)).join('.'),
    });
  },
  'bits left over': ({ bundle }) => {
    const last = bundle.receipt.slice(-1);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? '';
    return whole(
      { ...bundle, receipt: bundle.receipt.slice(0, -1) + twin },
      'receipt.signature: it is not a compact JWS',
    );
  },
};

/** Null when the choice came to nothing, or to the same. */
export function changed(subject: Subject, random: Random): Changed | null {
  const how = random.of(Object.keys(CHANGES));
  const made = CHANGES[how]?.(subject, random) ?? null;
  return made === null || made.text === bundleText(subject.bundle) ? null : { how, ...made };
}
