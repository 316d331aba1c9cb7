/**
 * Who counts as one person: a configured issuer, or group of issuers, with its exact subject. Names without an
 * assertion are compared without case and spaces at the ends, because `Bob` and `bob ` are typed by the same hand.
 * Verifies nothing: its input was verified before.
 */

import { isStorable } from './text.js';

/** The group of each issuer whose assertions count. */
export type IssuerGroups = ReadonlyMap<string, string>;

export type PersonKey = {
  /** A group of issuers, or `local`. */
  readonly issuer: string;
  /** Exactly as signed; folded for a local name. */
  readonly subject: string;
  /** What a local name that means the same person folds to. */
  readonly folded: string;
};

export const LOCAL = 'local';
/** Where no issuer is configured: whoever has a key of the set may name any issuer, so they are all one. */
export const ANY_ISSUER = '*';
export const PERSON_BOUNDS = { subjectChars: 256, issuerChars: 512 } as const;

/** Compatibility forms, case and outer blanks are one. By upper case first, so that `ß` is `ss`. */
export const foldedName = (name: string): string =>
  name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC').trim();

/** A length that every index takes, and text that every store takes. */
export const isSubject = (subject: string): boolean =>
  subject !== '' && subject.length <= PERSON_BOUNDS.subjectChars && isStorable(subject);

/** Null for a name that is blank, or too long, or no text. */
export function localPerson(name: string): PersonKey | null {
  const folded = foldedName(name);
  return isSubject(folded) ? { issuer: LOCAL, subject: folded, folded } : null;
}

/** Null when the issuer is not configured, or names itself as what no issuer is, or the subject is none. */
export function signedPerson(issuer: string, subject: string, groups: IssuerGroups | null): PersonKey | null {
  if (!isSubject(subject)) return null;
  const group = issuer === LOCAL ? undefined : groups === null ? ANY_ISSUER : groups.get(issuer);
  return group === undefined ? null : { issuer: group, subject, folded: foldedName(subject) };
}

export const isSamePerson = (one: PersonKey, other: PersonKey): boolean =>
  one.issuer === other.issuer && one.subject === other.subject;

/** A local name and a signed subject that folds to it too: nobody vouched that they are two. */
export const mayBeSamePerson = (one: PersonKey, other: PersonKey): boolean =>
  isSamePerson(one, other) || ((one.issuer === LOCAL) !== (other.issuer === LOCAL) && one.folded === other.folded);

const GROUP_NAME = /^[a-z][a-z0-9_-]{0,63}$/;

/**
 * `https://one; staff=https://two,https://three`: groups apart by `;`, issuers of a group by `,`, before them the group's name.
 * @returns null when the text is no such list
 */
export function parseIssuers(text: string): IssuerGroups | null {
  const groups = text.split(';').map(groupOf);
  const names = groups.map((group) => group?.name);
  const issuers = groups.flatMap((group) => group?.issuers ?? []);
  const fits =
    groups.every((group) => group !== null) &&
    new Set(names).size === names.length &&
    new Set(issuers).size === issuers.length &&
    issuers.every((issuer) => issuer !== '' && issuer !== LOCAL && issuer.length <= PERSON_BOUNDS.issuerChars);
  if (!fits) return null;
  return new Map(groups.flatMap((group) => group.issuers.map((issuer) => [issuer, group.name])));
}

/** A group of one is called as its issuer, unless it is given a name; one of several has a name. */
function groupOf(text: string): { readonly name: string; readonly issuers: readonly string[] } | null {
  const [, name, list] = /^\s*(?:([a-z][a-z0-9_-]*)=)?(.*)$/s.exec(text) ?? [];
  const issuers = (list ?? '').split(',').map((issuer) => issuer.trim());
  const called = name ?? (issuers.length === 1 ? issuers[0] : undefined);
  if (called === undefined || called === LOCAL || (name !== undefined && !GROUP_NAME.test(name))) return null;
  return { name: called, issuers };
}
