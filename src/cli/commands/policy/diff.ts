/**
 * `rok policy diff`: how a policy set differs from another; with `--last` also which of the last decisions it would
 * change, computed from their stored snapshots. Exit code 7 if a decision would change.
 */
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { RokError } from '../../../domain/errors.js';
import { isDigest } from '../../../domain/ids.js';
import { parsePolicySource, type PolicySource } from '../../../domain/policy-source.js';
import type { Replayed } from '../../../domain/protocol/administer.js';
import { loadConfig } from '../../../platform/config/config.js';
import { loadPolicySource, policiesFolder } from '../../../platform/config/files.js';
import type { Reader } from '../../../reader/read.js';
import { differences } from '../../../workers/policies.js';
import { wholeNumber } from '../../session/actor.js';
import { ask } from '../../session/administer.js';
import { plain, table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

type Options = { readonly against?: string; readonly tenant?: string; readonly last?: number };

export function policyDiff(policy: Command): void {
  policy
    .command('diff')
    .argument('[folder]', 'of the new set; `ROK_POLICIES` or `policies` unless given')
    .description('what a policy set would change')
    .option('--against <set>', 'a folder, or the digest of a stored set; the published one in force unless given')
    .option('--tenant <tenant>', 'the tenant whose set is in force, and whose decisions are made again')
    .option('--last <n>', 'make the last decisions again by the new set, at most 500', wholeNumber)
    .action((folder: string | undefined, options: Options, command: Command) =>
      inSession(command, async (session) => {
        const { env, print } = session;
        const to = await loadPolicySource(folder ?? policiesFolder(loadConfig(env)));
        const changes = differences(await fromOf(options, session.reader), to);
        const tenant = options.tenant ?? null;
        const replayed =
          options.last === undefined
            ? null
            : await ask(session, { ask: 'replay', source: to, tenant, last: options.last });
        if (replayed !== null && replayed.ask !== 'replay') throw new Error('another question was answered');
        if (print.json) print.object({ changes, ...(replayed === null ? {} : { replayed }) });
        else if (changes.length === 0) print.data('no policy differs');
        else
          print.data(
            table(
              ['', 'what'],
              changes.map(({ what, change }) => [change, plain(what)]),
            ),
          );
        if (replayed === null) return 0;
        if (!print.json && replayed.changed.length > 0) print.data(changedTable(replayed));
        print.say(
          `${replayed.changed.length} of ${replayed.decisions} decisions would change${replayed.untold === 0 ? '' : `, ${replayed.untold} cannot be told`}`,
        );
        return replayed.changed.length === 0 ? 0 : 7;
      }),
    );
}

const changedTable = ({ changed }: Replayed): string =>
  table(
    ['run', 'step', 'target', 'was', 'would be', 'by'],
    changed.map(({ run, step, attempt, target, was, is, rules }) => [
      run,
      `${step}.${attempt}`,
      plain(target),
      was,
      is,
      plain(rules.join(', ')),
    ]),
  );

async function fromOf({ against, tenant }: Options, reader: () => Promise<Reader>): Promise<PolicySource> {
  if (against !== undefined && !isDigest(against)) return fromFolder(against);
  const [row] = await (
    await reader()
  ).rows(
    against === undefined
      ? `SELECT s.body FROM decide.v_rollouts o JOIN decide.v_policy_sets s USING (digest)
        WHERE o.tenant IN ('', $1) ORDER BY (o.tenant = $1) DESC, o.rollout_id DESC LIMIT 1`
      : 'SELECT s.body FROM decide.v_policy_sets s WHERE s.digest = $1',
    [against ?? tenant ?? ''],
  );
  if (row === undefined)
    throw new RokError(
      'policy_unknown',
      against === undefined ? 'no set was published that is in force there' : `no set \`${against}\` is stored`,
      'name a folder or a stored digest with `--against`',
    );
  const parsed = parsePolicySource(JSON.parse(String(row['body'])));
  if (!parsed.ok) throw new RokError('policy_invalid', parsed.problems.join('; '));
  return parsed.source;
}

async function fromFolder(folder: string): Promise<PolicySource> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() !== true)
    throw new RokError('policy_unknown', `\`${folder.slice(0, 200)}\` is neither a folder nor a digest`);
  return loadPolicySource(folder);
}
