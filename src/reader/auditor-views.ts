/**
 * Lets a tenant's auditor read by the same statements over other views: those of schema `auditor`, which show only its
 * tenant's rows. Filters nothing itself: the database says what a login may see.
 */
import type { Row } from '../domain/sql.js';
import type { OpenDatabase } from '../platform/postgres/database.js';

/** Logins of auditors are named so; see sql/migrations/auditor/0701_auditor.sql. */
export const isAuditorUrl = (url: string): boolean =>
  decodeURIComponent(new URL(url).username).startsWith('rok_auditor_');

export const throughAuditorViews = (database: OpenDatabase): OpenDatabase => ({
  ...database,
  query: <R extends object = Row>(text: string, values?: readonly unknown[]) =>
    database.query<R>(
      text
        .replaceAll(/\b(decide|execute|observe|audit)\.v_/g, 'auditor.$1_v_')
        .replaceAll('audit.rejudge(', 'auditor.rejudge('),
      values,
    ),
});
