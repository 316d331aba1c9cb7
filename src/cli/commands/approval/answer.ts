/**
 * `rok approval approve | reject`: answers the hold of one action, named by its digest; an answer for any other action
 * is refused.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { isDigest, type Digest } from '../../../domain/ids.js';
import { actorOf, withActor, wholeNumber, type ActorOptions } from '../../session/actor.js';
import { inSession } from '../../session/session.js';

type Options = ActorOptions & { readonly digest: Digest; readonly hold?: number; readonly reason?: string };

export function approvalAnswer(approval: Command): void {
  for (const verb of ['approve', 'reject'] as const) answer(approval, verb);
}

function answer(approval: Command, verb: 'approve' | 'reject'): void {
  const command = approval
    .command(verb)
    .argument('<run>', 'run id or workflow id')
    .description(verb === 'approve' ? 'let the held action happen' : 'refuse the held action')
    .requiredOption('--digest <digest>', 'of the action, as `rok approval list` shows it', digest)
    .option('--hold <n>', 'number of the hold, where several are for the same action', wholeNumber)
    .option('--reason <text>', 'why; kept with the act');
  withActor(command).action((name: string, options: Options, self: Command) =>
    inSession(self, async ({ env, print, client }) => {
      const handle = await (await client()).get(name);
      const steered = await handle[verb]({
        ...actorOf(options, env),
        digest: options.digest,
        ...(options.hold === undefined ? {} : { hold: options.hold }),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      });
      if (print.json) print.object({ run: name, verb, ...steered });
      else
        print.data(
          `${verb}: done by ${steered.actor}, ${steered.given ?? 0} of ${steered.quorum ?? 1}${steered.resolution === undefined ? '' : `, hold ${steered.resolution}`}`,
        );
      return 0;
    }),
  );
}

function digest(text: string): Digest {
  if (!isDigest(text)) throw new InvalidArgumentError('must be 64 hexadecimal digits');
  return text;
}
