/**
 * `rok migrate`: brings a database to the state of sql/; with `--temporal` also registers the runs' search attributes
 * in a Temporal namespace. The only command that needs a superuser's URL.
 */
import type { Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import { loadConfig } from '../../platform/config/config.js';
import { migrate, planMigrate } from '../../platform/postgres/migrate.js';
import { sqlFolder } from '../../platform/postgres/sql-folder.js';
import { ensureSearchAttributes } from '../../platform/temporal/search-attributes.js';
import { connectTemporal, temporalSettings } from '../../platform/temporal/temporal.js';
import { table, type Printer } from '../output/print.js';
import { inSession } from '../session/session.js';

type Options = { readonly url?: string; readonly temporal?: boolean; readonly check?: boolean };

export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to the state of sql/')
    .option('--url <url>', 'of a superuser (also ROK_DATABASE_URL)')
    .option('--temporal', 'register the search attributes in Temporal too (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE)')
    .option('--check', 'say what would be run on the database and change nothing; exit code 1 when there is something')
    .action((options: Options, command: Command) =>
      inSession(command, async ({ env, print }) => {
        const url = options.url ?? loadConfig(env).databaseUrl;
        if (url === undefined || !URL.canParse(url))
          throw new RokError(
            'usage',
            url === undefined ? 'no database is named' : 'that is not a URL',
            'add `--url postgresql://user:password@host:5432/database`, or set `ROK_DATABASE_URL`',
          );
        if (options.check === true) return check(url, print);
        const files = await migrate(url, { folder: sqlFolder });
        const attributes = options.temporal === true ? await registerAttributes(env) : undefined;
        if (print.json)
          print.object({ migrated: files, ...(attributes === undefined ? {} : { registered: attributes }) });
        else {
          print.data(files.length === 0 ? 'nothing to do' : `${files.length} files run`);
          if (attributes !== undefined)
            print.data(
              attributes.length === 0
                ? 'search attributes: all were registered'
                : `search attributes registered: ${attributes.join(', ')}`,
            );
        }
        return 0;
      }),
    );
}

async function check(url: string, print: Printer): Promise<number> {
  const { migrations, repeatables } = await planMigrate(url, { folder: sqlFolder });
  const files = [...migrations.map(({ path }) => ({ path, why: 'new' })), ...repeatables];
  if (print.json) print.object({ wouldRun: files });
  else if (files.length === 0) print.data('nothing to do');
  else
    print.data(
      table(
        ['file', 'is'],
        files.map(({ path, why }) => [path, why]),
      ),
    );
  return files.length === 0 ? 0 : 1;
}

async function registerAttributes(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const temporalClient = await connectTemporal(temporalSettings(env));
  try {
    return await ensureSearchAttributes(temporalClient.connection, temporalClient.settings.namespace);
  } finally {
    await temporalClient.close();
  }
}
