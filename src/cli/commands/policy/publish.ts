/**
 * `rok policy publish`: lints and tests a set, stores it under its digest and puts it in force; each run uses it from
 * its next step on.
 */
import type { Command } from 'commander';
import { RokError } from '../../../domain/errors.js';
import { actDigest, type AdminAct } from '../../../domain/protocol/administer.js';
import { loadConfig } from '../../../platform/config/config.js';
import { loadPolicySource, policiesFolder } from '../../../platform/config/files.js';
import { withActor, type ActorOptions } from '../../session/actor.js';
import { doAct } from '../../session/administer.js';
import { inSession } from '../../session/session.js';

type Options = ActorOptions & {
  readonly tenant?: string;
  readonly allTenants?: boolean;
  readonly reason: string;
  readonly purpose?: boolean;
};

export function policyPublish(policy: Command): void {
  const command = policy
    .command('publish')
    .argument('[folder]', 'of the set; `ROK_POLICIES` or `policies` unless given')
    .description('put a policy set in force')
    .option('--tenant <tenant>', 'for this tenant')
    .option('--all-tenants', 'for all that have no set of their own')
    .requiredOption('--reason <text>', 'why; kept with the set')
    .option('--purpose', 'print what an assertion for this must be for, and do nothing');
  withActor(command).action((folder: string | undefined, options: Options, self: Command) =>
    inSession(self, async (session) => {
      const { env, print } = session;
      const { tenant, reason } = options;
      if ((tenant === undefined) === (options.allTenants !== true))
        throw new RokError('usage', 'a set is for one tenant or for all', 'add `--tenant <tenant>` or `--all-tenants`');
      const source = await loadPolicySource(folder ?? policiesFolder(loadConfig(env)));
      const act: AdminAct = { verb: 'policy.publish', tenant: tenant ?? '', reason, source };
      if (options.purpose === true) {
        print.object({ audience: 'rok-admin/<any id>', verb: act.verb, action: actDigest(act) });
        return 0;
      }
      const { actor, changed } = await doAct(session, act, options);
      const [digest = ''] = changed;
      if (print.json) print.object({ verb: act.verb, tenant: tenant ?? null, actor, digest });
      else print.data(digest);
      print.say(
        `published by ${actor} for ${tenant === undefined ? 'all tenants without a set of their own' : tenant}`,
      );
      return 0;
    }),
  );
}
