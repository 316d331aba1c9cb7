/** `rok migrate`: brings a database to the state of sql/. Needs a superuser's URL, which is asked for here and nowhere else. */
import type { Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import { loadConfig } from '../../platform/config/config.js';
import { migrate } from '../../platform/postgres/migrate.js';
import { sqlFolder } from '../../platform/postgres/sql-folder.js';
import { inSession } from '../session/session.js';

type Options = { readonly url?: string };

export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to the state of sql/')
    .option('--url <url>', 'of a superuser (also ROK_DATABASE_URL)')
    .action((options: Options, command: Command) =>
      inSession(command, async ({ env, print }) => {
        const url = options.url ?? loadConfig(env).databaseUrl;
        if (url === undefined || !URL.canParse(url))
          throw new RokError(
            'usage',
            url === undefined ? 'no database is named' : 'that is not a URL',
            'add `--url postgresql://user:password@host:5432/database`, or set `ROK_DATABASE_URL`',
          );
        const files = await migrate(url, { folder: sqlFolder });
        if (print.json) print.object({ migrated: files });
        else print.data(files.length === 0 ? 'nothing to do' : `${files.length} files run`);
        return 0;
      }),
    );
}
