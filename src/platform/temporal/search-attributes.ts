/**
 * The search attributes ROK's runs carry in Temporal, and their registration on a server. Deliberately without values, and
 * never to hold prompt text: whoever may list workflows may read them.
 */
import type { Connection } from '@temporalio/client';

export const searchAttributeTypes = {
  RokTenant: 'Keyword',
  RokAgent: 'Keyword',
  RokPhase: 'Keyword',
  RokOutcome: 'Keyword',
  RokVerdict: 'Keyword',
  RokHold: 'KeywordList',
  RokSpendMicros: 'Int',
  RokProfile: 'Keyword',
} as const;

export type SearchAttributeType = (typeof searchAttributeTypes)[keyof typeof searchAttributeTypes];

/** temporal.api.enums.v1.IndexedValueType */
const wireTypes = { Keyword: 2, Int: 3, KeywordList: 7 } as const satisfies Record<SearchAttributeType, number>;

/** Those of ours that the namespace does not have. */
export async function missingSearchAttributes(connection: Connection, namespace: string): Promise<readonly string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return Object.keys(searchAttributeTypes).filter((name) => !(name in customAttributes));
}

/** Registers what is missing; several workers may do so at once. Returns what it registered. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<readonly string[]> {
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0) return missing;
  const searchAttributes = Object.fromEntries(
    Object.entries(searchAttributeTypes)
      .filter(([name]) => missing.includes(name))
      .map(([name, type]) => [name, wireTypes[type]]),
  );
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (error) {
    // Another worker was faster: fine when nothing is missing any more.
    if ((await missingSearchAttributes(connection, namespace)).length > 0) throw error;
  }
  return missing;
}
