/** `rok run pause | resume | cancel | kill | finalize`: verbs of one shape. Whether the actor may is decided by the run. */
import type { Command } from 'commander';
import type { Act, GovernedRunHandle, ActorResponse } from '../../../client.js';
import { RokError } from '../../../domain/errors.js';
import { FATES, type Fate } from '../../../domain/protocol/decide.js';
import { actorOf, withActor, type ActorOptions } from '../../session/actor.js';
import { inSession } from '../../session/session.js';

type Options = ActorOptions & { readonly reason?: string; readonly yes?: boolean; readonly was?: string };

const VERBS = {
  pause: 'hold the run before its next step',
  resume: 'go on with a run that an actor paused, or that waits to hear whether a call was done',
  cancel: 'end the run in an orderly way',
  kill: 'end the run now; returns when it has ended',
  finalize: 'ask the run to close before its deadline; needs an assertion',
} as const;
type Verb = keyof typeof VERBS;

/** What cannot be taken back is not done by accident. */
const DESTRUCTIVE: readonly Verb[] = ['cancel', 'kill', 'finalize'];

export function runSteer(run: Command): void {
  for (const verb of Object.keys(VERBS) as Verb[]) steer(run, verb);
}

function steer(run: Command, verb: Verb): void {
  const destructive = DESTRUCTIVE.includes(verb);
  const command = run
    .command(verb)
    .argument('<run>', 'run id or workflow id')
    .description(VERBS[verb])
    .option('--reason <text>', 'why; kept with the act');
  if (verb === 'resume') command.option('--was <fate>', 'done or not-done: what became of a call that nobody heard of');
  if (destructive) command.option('--yes', 'yes, end it');
  withActor(command).action((name: string, options: Options, self: Command) =>
    inSession(self, async ({ env, print, client }) => {
      if (destructive && (options.yes !== true || options.reason === undefined))
        throw new RokError('usage', `\`rok run ${verb}\` ends the run for good`, 'add `--yes` and `--reason <text>`');
      const handle = await (await client()).get(name);
      const named = actorOf(options, env);
      const act = {
        ...named,
        ...(options.reason === undefined ? {} : { reason: options.reason }),
        ...fateIn(options),
      };
      const steered = await steerBy(handle, verb, act);
      if (print.json) print.object({ run: name, verb, ...steered });
      else print.data(steered === null ? `${verb}: done` : `${verb}: done by ${steered.actor}`);
      return 0;
    }),
  );
}

/** @throws RokError usage */
export function fateIn({ was }: Pick<Options, 'was'>): { readonly was?: Fate } {
  if (was === undefined) return {};
  const said = FATES.find((fate) => fate.replace('_', '-') === was);
  if (said === undefined) throw new RokError('usage', '`--was` is `done` or `not-done`');
  return { was: said };
}

/** Null for `finalize`, which is a signal: that it was allowed is all there is to say. */
async function steerBy(
  handle: GovernedRunHandle,
  verb: Verb,
  act: Act & { readonly was?: Fate },
): Promise<ActorResponse | null> {
  if (verb !== 'finalize') return handle[verb](act);
  await handle.finalize('rok', act);
  return null;
}
