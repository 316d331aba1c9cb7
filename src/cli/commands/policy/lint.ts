/** `rok policy lint`: lists every problem of a policy set; exit code 1 if there is one. */
import type { Command } from 'commander';
import { loadConfig } from '../../../platform/config/config.js';
import { policiesFolder } from '../../../platform/config/files.js';
import { lintFolder } from '../../../workers/policies.js';
import { plain, table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

export function policyLint(policy: Command): void {
  policy
    .command('lint')
    .argument('[folder]', 'of the set; `ROK_POLICIES` or `policies` unless given')
    .description('every problem of a policy set')
    .action((folder: string | undefined, _options: unknown, command: Command) =>
      inSession(command, async ({ env, print }) => {
        const problems = await lintFolder(folder ?? policiesFolder(loadConfig(env)));
        if (print.json) for (const problem of problems) print.object(problem);
        else if (problems.length > 0)
          print.data(
            table(
              ['where', 'problem'],
              problems.map(({ where, text }) => [where, plain(text)]),
            ),
          );
        print.say(problems.length === 0 ? 'nothing wrong' : `${problems.length} problems`);
        return problems.length === 0 ? 0 : 1;
      }),
    );
}
