/** `rok policy test`: runs a set's own tests; exit code 7 if one fails. */
import type { Command } from 'commander';
import { loadConfig } from '../../../platform/config/config.js';
import { policiesFolder } from '../../../platform/config/files.js';
import { testFolder } from '../../../workers/policies.js';
import { plain, table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

export function policyTest(policy: Command): void {
  policy
    .command('test')
    .argument('[folder]', 'of the set; `ROK_POLICIES` or `policies` unless given')
    .description("a policy set's own tests")
    .action((folder: string | undefined, _options: unknown, command: Command) =>
      inSession(command, async ({ env, print }) => {
        const results = await testFolder(folder ?? policiesFolder(loadConfig(env)));
        const failed = results.filter(({ problems }) => problems.length > 0);
        if (print.json) for (const result of results) print.object(result);
        else
          print.data(
            table(
              ['', 'file', 'test', 'otherwise than expected'],
              results.map(({ file, name, problems }) => [
                problems.length === 0 ? 'passed' : 'FAILED',
                file,
                plain(name),
                plain(problems.join('; ')),
              ]),
            ),
          );
        print.say(`${results.length - failed.length} passed, ${failed.length} failed`);
        return failed.length === 0 ? 0 : 7;
      }),
    );
}
