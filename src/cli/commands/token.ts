/** `rok token`: the development issuer. Signs one assertion for one message; prints it on stdout and nothing else. */
import { randomUUID } from 'node:crypto';
import { Option, type Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import { isDigest, workflowIdOf } from '../../domain/ids.js';
import { ACTOR_VERBS, type ActorVerb } from '../../domain/protocol/decide.js';
import { fateDigest } from '../../domain/protocol/message.js';
import { loadConfig } from '../../platform/config/config.js';
import { wholeNumber } from '../session/actor.js';
import { signDevAssertion, LONGEST_S } from '../session/dev-issuer.js';
import { fateIn } from './run/verbs.js';
import { inSession, type Session } from '../session/session.js';

type Options = {
  readonly as: string;
  readonly role: readonly string[];
  readonly verb: ActorVerb | 'start';
  readonly run?: string;
  readonly tenant?: string;
  readonly id?: string;
  readonly digest?: string;
  readonly was?: string;
  readonly update?: string;
  readonly seconds: number;
};

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function token(program: Command): void {
  program
    .command('token')
    .description('sign an assertion with ROK_ASSERTION_KEY (development issuer)')
    .requiredOption('--as <name>', 'who acts')
    .option('--role <role>', 'a role of the actor; may be repeated', collect, [])
    .addOption(new Option('--verb <verb>', 'what for').choices(['start', ...ACTOR_VERBS]).makeOptionMandatory())
    .option('--run <run>', 'run id or workflow id that it is for')
    .option('--tenant <tenant>', 'for `start`: the tenant')
    .option('--id <id>', 'for `start`: the id that the run will be started with')
    .option(
      '--digest <digest>',
      'for `approve` and `reject`: of the held action; for `raise_budget`: as `rok budget raise --purpose` prints it',
    )
    .option('--was <fate>', 'for `resume` of a call that nobody heard of: done or not-done, as it will be said')
    .option('--update <id>', 'the message it is good for; one is made up unless given')
    .option('--seconds <n>', 'how long it is good for, at most 300', wholeNumber, LONGEST_S)
    .action((options: Options, command: Command) =>
      inSession(command, async (session) => {
        const { print } = session;
        const { assertionKey } = loadConfig(session.env);
        if (assertionKey === undefined)
          throw new RokError(
            'config_invalid',
            '`ROK_ASSERTION_KEY` is not set',
            'set it to the file of a private JWK; `rok dev` makes one',
          );
        const workflowId = await audienceOf(options, session);
        const updateId = options.verb === 'start' ? '' : (options.update ?? randomUUID());
        const { verb, role: roles, as: subject, seconds: lifetimeS } = options;
        const { was } = fateIn(options);
        const digest = was === undefined ? options.digest : fateDigest(was);
        const assertion = await signDevAssertion(assertionKey, {
          workflowId,
          verb,
          updateId,
          subject,
          roles,
          lifetimeS,
          ...(digest === undefined ? {} : { digest }),
        });
        if (print.json) print.object({ assertion, workflowId, verb, updateId: updateId === '' ? null : updateId });
        else print.data(assertion);
        return 0;
      }),
    );
}

/** Where the digest is found that an assertion for this must be bound to. */
const SHOWN_BY: Partial<Record<Options['verb'], string>> = {
  approve: 'rok approval list',
  reject: 'rok approval list',
  raise_budget: 'rok budget raise --purpose',
};

async function audienceOf(options: Options, { reader }: Session): Promise<string> {
  const { verb, run, tenant, id, digest } = options;
  if (options.was !== undefined && verb !== 'resume')
    throw new RokError('usage', `\`${verb}\` says nothing of a call`, 'leave `--was` out');
  const shown = SHOWN_BY[verb];
  if ((shown !== undefined) !== (digest !== undefined) || (digest !== undefined && !isDigest(digest)))
    throw new RokError(
      'usage',
      shown === undefined ? `\`${verb}\` is for no action` : `\`${verb}\` needs the digest of its action`,
      shown === undefined ? 'leave `--digest` out' : `add \`--digest\` as \`${shown}\` shows it`,
    );
  if (verb === 'start') {
    if (tenant === undefined || id === undefined)
      throw new RokError('usage', 'a start is for a tenant and an id', 'add `--tenant` and `--id`');
    return workflowIdOf(tenant, id);
  }
  if (run === undefined) throw new RokError('usage', 'no run is named', 'add `--run <run>`');
  if (run.startsWith('rok/')) return run;
  const view = await (await reader()).run(run);
  if (view === null) throw new RokError('run_unknown', `no run \`${run}\``, 'list them with `rok run list`');
  return view.workflowId;
}
