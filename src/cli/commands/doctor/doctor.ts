/** `rok doctor`: whether everything is there that ROK needs, and is as it should be. Changes nothing. */
import type { Command } from 'commander';
import { PROFILE_RULES, PROFILES, type Profile } from '../../../domain/profiles.js';
import { loadConfig } from '../../../platform/config/config.js';
import { table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

export function doctor(program: Command): void {
  program
    .command('doctor')
    .description('check Node, Temporal, PostgreSQL, logins, keys and policies')
    .action((_options: unknown, command: Command) =>
      inSession(command, async ({ env, print }) => {
        const { examine } = await import('./doctor-checks.js');
        const findings = await examine(env);
        if (print.json) for (const finding of findings) print.object(finding);
        else {
          print.data(
            table(
              ['', 'check', 'found', 'what to do'],
              findings.map(({ state, check, found, hint }) => [state, check, found, state === 'ok' ? '' : hint]),
            ),
          );
          print.data('');
          print.data(profileTable(loadConfig(env).profile));
        }
        return findings.some((finding) => finding.state === 'failed') ? 1 : 0;
      }),
    );
}

function profileTable(inForce: Profile): string {
  const rules = Object.keys(PROFILE_RULES.STRICT) as (keyof (typeof PROFILE_RULES)['STRICT'])[];
  const words = (rule: string): string => rule.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return table(
    ['profile', ...PROFILES.map((profile) => (profile === inForce ? `${profile} (in force)` : profile))],
    rules.map((rule) => [words(rule), ...PROFILES.map((profile) => (PROFILE_RULES[profile][rule] ? 'yes' : 'no'))]),
  );
}
