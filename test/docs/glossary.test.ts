/** The lists of docs/glossary.md are those of the code. */
import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { HOLD_REASONS } from '../../src/domain/decision.js';
import { INTENT_KINDS } from '../../src/domain/intent.js';
import { OUTCOMES, PHASES } from '../../src/domain/phases.js';
import { PROFILES } from '../../src/domain/profiles.js';
import { BLOCKING_FINDINGS, NOTE_FINDINGS, VERDICT_STATUSES } from '../../src/domain/verdict.js';

const lists: Readonly<Record<string, readonly string[]>> = {
  Phases: PHASES,
  Outcomes: OUTCOMES,
  Verdicts: VERDICT_STATUSES,
  Profiles: PROFILES,
  'Hold reasons': HOLD_REASONS,
  'Intent kinds': INTENT_KINDS,
  'Blocking findings': BLOCKING_FINDINGS,
  Notes: NOTE_FINDINGS,
};

const glossary = readFileSync(new URL('../../docs/glossary.md', import.meta.url), 'utf8');

it.each(Object.entries(lists))('%s', (name, words) => {
  const said = new RegExp(`^- \\*\\*${name}\\*\\*: ([^.]+(?:\\.[a-z]+[^.]*)*)\\.`, 'm').exec(glossary)?.[1];
  expect(said?.split(', ')).toEqual([...words]);
});

it('has no other list', () => {
  expect([...glossary.matchAll(/^- \*\*(.+?)\*\*:/gm)].map(([, name]) => name)).toEqual(Object.keys(lists));
});
