/**
 * What has to run so that a database is as the files of sql/ say, or why these files may not touch it. Pure: files and the
 * database's record in, plan out.
 */
import { numberOf, type SqlFile, type SqlFiles } from './sql-files.js';

/** What the database says of a file that ran there. */
export interface RecordedFile {
  readonly path: string;
  readonly checksum: string;
}

export interface RepeatableChange {
  readonly path: string;
  readonly why: 'new' | 'changed' | 'removed';
}

export interface MigrationPlan {
  /** Those that never ran here, in their order. */
  readonly migrations: readonly SqlFile[];
  /** Why repeatable files are applied again; they are applied all together, or not at all. */
  readonly repeatables: readonly RepeatableChange[];
}

/** Files and record contradict each other. */
export interface Mismatch {
  readonly what: string;
  readonly hint: string;
}

export const isMismatch = (answer: MigrationPlan | Mismatch): answer is Mismatch => 'what' in answer;

export const isEmpty = ({ migrations, repeatables }: MigrationPlan): boolean =>
  migrations.length === 0 && repeatables.length === 0;

/** What ran once stays as it was: every recorded migration must be there unchanged, and a new one comes after all of them. */
export function planMigration(files: SqlFiles, recorded: readonly RecordedFile[]): MigrationPlan | Mismatch {
  const known = new Map(recorded.map(({ path, checksum }) => [path, checksum]));
  const ran = recorded.filter(({ path }) => path.startsWith('migrations/'));
  const there = new Map(files.migrations.map((file) => [file.path, file]));
  for (const { path, checksum } of ran) {
    const file = there.get(path);
    if (file === undefined)
      return {
        what: `\`${path}\` ran on it, which this version does not have`,
        hint: 'use the version that ran it, or a later one',
      };
    if (file.checksum !== checksum)
      return {
        what: `\`${path}\` was edited after it ran on it`,
        hint: 'put the file back as it was, and the change into a new file',
      };
  }
  const last = ran.map(({ path }) => numberOf(path)).reduce((a, b) => (a > b ? a : b), '');
  const migrations = files.migrations.filter(({ path }) => !known.has(path));
  const early = migrations.find(({ path }) => numberOf(path) < last);
  if (early !== undefined)
    return {
      what: `\`${early.path}\` never ran on it, and later ones did`,
      hint: `give the file a number above ${last}`,
    };
  return { migrations, repeatables: changesOf(files.repeatables, known) };
}

function changesOf(repeatables: readonly SqlFile[], known: ReadonlyMap<string, string>): readonly RepeatableChange[] {
  const there = new Set(repeatables.map(({ path }) => path));
  const removed = [...known.keys()].filter((path) => path.startsWith('repeatable/') && !there.has(path));
  return [
    ...repeatables.flatMap(({ path, checksum }): RepeatableChange[] => {
      const before = known.get(path);
      return before === checksum ? [] : [{ path, why: before === undefined ? 'new' : 'changed' }];
    }),
    ...removed.map((path): RepeatableChange => ({ path, why: 'removed' })),
  ];
}
