/**
 * `rok halt set | lift | list`: stops everything in a scope, also between a decision and its call; ends such a stop;
 * lists those in force.
 */
import { Argument, type Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import { actDigest, HALT_SCOPES, type AdminAct, type HaltScope } from '../../domain/protocol/administer.js';
import { withActor, type ActorOptions } from '../session/actor.js';
import { doAct } from '../session/administer.js';
import { plain, table } from '../output/print.js';
import { inSession } from '../session/session.js';

type Options = ActorOptions & { readonly reason: string; readonly purpose?: boolean };

export function halt(program: Command): void {
  const group = program.command('halt').description('stop everything in a scope, and let it go on');
  act(group, 'set', 'stop all, a tenant or an agent: no decision allows and no warrant is redeemed');
  act(group, 'lift', 'lift what was halted on exactly this scope');
  group
    .command('list')
    .description('the halts in force')
    .option('--lifted', 'those that were lifted too')
    .action((options: { readonly lifted?: boolean }, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const rows = await (
          await reader()
        ).rows(
          `SELECT halt_id::text AS halt, scope, subject, reason, set_by AS "setBy", set_at AS "setAt",
            lifted_by AS "liftedBy", lifted_at AS "liftedAt" FROM decide.v_halts WHERE $1 OR lifted_at IS NULL
          ORDER BY halt_id DESC LIMIT 1000`,
          [options.lifted ?? false],
        );
        const columns = [
          'halt',
          'scope',
          'subject',
          'setBy',
          'setAt',
          'reason',
          ...(options.lifted ? ['liftedBy'] : []),
        ];
        if (print.json) for (const row of rows) print.object(row);
        else if (rows.length === 0) print.data('nothing is halted');
        else
          print.data(
            table(
              columns,
              rows.map((row) => columns.map((name) => plain(cell(row[name])))),
            ),
          );
        return 0;
      }),
    );
}

const cell = (value: unknown): string => (typeof value === 'string' ? value : '');

function act(group: Command, name: 'set' | 'lift', description: string): void {
  const command = group
    .command(name)
    .addArgument(new Argument('<scope>', 'what').choices(HALT_SCOPES))
    .argument('[subject]', 'the tenant, or `tenant/agent`')
    .description(description)
    .requiredOption('--reason <text>', 'why; kept with the act')
    .option('--purpose', 'print what an assertion for this must be for, and do nothing');
  withActor(command).action((scope: HaltScope, subject: string | undefined, options: Options, self: Command) =>
    inSession(self, async (session) => {
      const asked: AdminAct = {
        verb: `halt.${name}`,
        scope,
        subject: subjectOf(scope, subject),
        reason: options.reason,
      };
      const { print } = session;
      if (options.purpose === true) {
        print.object({ audience: 'rok-admin/<any id>', verb: asked.verb, action: actDigest(asked) });
        return 0;
      }
      const { actor, changed } = await doAct(session, asked, options);
      if (print.json) print.object({ verb: asked.verb, scope, subject: asked.subject, actor, halts: changed });
      else
        print.data(
          changed.length === 0 ? 'nothing was halted there' : `${asked.verb}: done by ${actor}, ${changed.join(', ')}`,
        );
      return changed.length === 0 ? 3 : 0;
    }),
  );
}

function subjectOf(scope: HaltScope, subject: string | undefined): string {
  if ((scope === 'all') !== (subject === undefined))
    throw new RokError(
      'usage',
      scope === 'all'
        ? 'a halt on all names nothing'
        : `a halt on ${scope === 'agent' ? 'an agent' : 'a tenant'} names it`,
      'write `all`, `tenant <tenant>` or `agent <tenant>/<agent>`',
    );
  return subject ?? '';
}
