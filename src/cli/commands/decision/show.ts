/**
 * `rok decision show`: one stored decision with all its reasons; with `--recompute` also whether it comes out the same
 * again.
 */
import type { Command } from 'commander';
import { RokError } from '../../../domain/errors.js';
import { uuidOf } from '../../../domain/ids.js';
import { canonicalJson } from '../../../domain/canonical-json.js';
import type { Json, JsonObject } from '../../../domain/json.js';
import type { Recomputed } from '../../../domain/protocol/administer.js';
import { ask } from '../../session/administer.js';
import { foundRun } from '../../session/found-run.js';
import { plain } from '../../output/print.js';
import { shownLine } from '../../output/shown-lines.js';
import type { ShownText } from '../../../reader/read.js';
import { inSession } from '../../session/session.js';

type Stored = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: string;
  readonly target: string;
  readonly effect: string;
  readonly actionDigest: string;
  readonly argumentsDigest: string;
  readonly snapshotDigest: string;
  readonly policySetDigest: string;
  readonly priceTableDigest: string;
  readonly decidedAt: string;
  readonly body: JsonObject;
};

const STORED = `SELECT r.step, r.attempt, r.kind, r.target, r.effect, r.action_digest AS "actionDigest",
    d.arguments_digest AS "argumentsDigest", r.snapshot_digest AS "snapshotDigest", r.policy_set_digest AS "policySetDigest",
    r.price_table_digest AS "priceTableDigest", r.decided_at AS "decidedAt", r.body
  FROM decide.v_rulings r JOIN decide.v_decisions d USING (run_id, step, attempt)
  WHERE r.run_id = $1 AND r.step = $2 AND ($3::int IS NULL OR r.attempt = $3) ORDER BY r.attempt DESC LIMIT 1`;

const ARGUMENT_CHARS = 2_000;

/** What each answer means to whoever asks by exit code: decisions changed, evidence bad, not found. */
const EXIT = { equal: 0, differs: 7, changed: 6, deleted: 3 } as const;

export function decisionShow(decision: Command): void {
  decision
    .command('show')
    .argument('<run>', 'run id or workflow id')
    .argument('<step>', 'number of the step; `3.2` is its second attempt, else its last one')
    .option('--recompute', 'decide it again from its stored snapshot, by the set it was made by, and compare')
    .description('one stored decision with all its reasons')
    .action((name: string, place: string, options: { readonly recompute?: boolean }, command: Command) =>
      inSession(command, async (session) => {
        const { print } = session;
        const { step, attempt } = placeOf(place);
        const { run } = await foundRun(await session.reader(), name);
        const [row] = await (await session.reader()).rows(STORED, [uuidOf(run), step, attempt]);
        if (row === undefined)
          throw new RokError(
            'decision_unknown',
            `run \`${run}\` has no decision ${place}`,
            'its steps are shown by `rok run watch`',
          );
        const stored = row as unknown as Stored;
        const called =
          stored.kind === 'skill.call' ? await (await session.reader()).arguments(run, stored.argumentsDigest) : null;
        const recomputed =
          options.recompute === true
            ? await ask(session, { ask: 'recompute', run, step, attempt: stored.attempt })
            : null;
        if (recomputed !== null && (recomputed.ask !== 'recompute' || !recomputed.found))
          throw new Error('another question was answered');
        if (print.json)
          print.object({ run, ...stored, arguments: called, ...(recomputed === null ? {} : { recomputed }) });
        else
          print.data([sheetOf(run, stored, called), ...(recomputed === null ? [] : [toldOf(recomputed)])].join('\n'));
        return recomputed === null ? 0 : EXIT[recomputed.result];
      }),
    );
}

function placeOf(text: string): { readonly step: number; readonly attempt: number | null } {
  const [, step, attempt] = /^(\d{1,9})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (step === undefined)
    throw new RokError(
      'usage',
      `\`${text.slice(0, 40)}\` is no step`,
      'write its number, such as `3`, or `3.2` for one attempt',
    );
  return { step: Number(step), attempt: attempt === undefined ? null : Number(attempt) };
}

type Told = { readonly code?: string; readonly rule?: string; readonly text?: string };

function sheetOf(run: string, stored: Stored, called: ShownText | null): string {
  const { body } = stored;
  const list = (name: string): readonly Told[] => (body[name] ?? []) as readonly Told[];
  const told = (name: string, from: string): readonly (readonly [string, string])[] =>
    list(from).map(({ code, rule, text }) => [name, `${code ?? ''} by ${rule ?? ''}: ${text ?? ''}`]);
  const value = (name: string): readonly (readonly [string, string])[] =>
    body[name] === undefined ? [] : [[name, JSON.stringify(body[name])]];
  const lines: readonly (readonly [string, string])[] = [
    ['run', run],
    ['decision', `${stored.step}.${stored.attempt} ${stored.kind} ${stored.target}`],
    ...(called === null ? [] : [['arguments', shownLine(called, ARGUMENT_CHARS)] as const]),
    ['decided', stored.decidedAt],
    ['effect', stored.effect + (body['final'] === true ? ', final' : '')],
    ...value('grant'),
    ...value('hold'),
    ...value('suggest'),
    ...told('reason', 'reasons'),
    ...told('error', 'errors'),
    ...told('notice', 'notices'),
    ['determined by', (body['determining'] as readonly string[] | undefined)?.join(', ') ?? ''],
    ['action', stored.actionDigest],
    ['snapshot', stored.snapshotDigest],
    ['policy set', stored.policySetDigest],
    ['price table', stored.priceTableDigest],
  ];
  return lines.map(([name, text]) => `${name.padEnd(13)}  ${plain(text)}`).join('\n');
}

function toldOf(recomputed: Extract<Recomputed, { found: true }>): string {
  const label = 'recomputed'.padEnd(13);
  if (recomputed.result === 'equal') return `${label}  equal`;
  if (recomputed.result !== 'differs')
    return `${label}  ${recomputed.result === 'deleted' ? 'cannot be told, deleted' : 'cannot be told, changed'}: ${recomputed.what}`;
  const { stored, recomputed: made } = recomputed;
  const text = (value: Json | undefined): string => canonicalJson(value ?? null);
  const differing = [...new Set([...Object.keys(stored), ...Object.keys(made)])]
    .filter((name) => text(stored[name]) !== text(made[name]))
    .sort();
  return [
    `${label}  differs in ${differing.join(', ')}`,
    ...differing.flatMap((name) => [
      `  ${name} stored      ${plain(text(stored[name]))}`,
      `  ${name} recomputed  ${plain(text(made[name]))}`,
    ]),
  ].join('\n');
}
