/**
 * The search attributes ROK's runs carry in Temporal, and their registration on a server. Deliberately without values, and
 * never to hold prompt text: whoever may list workflows may read them.
 */
import type { Connection } from '@temporalio/client';
import { StartError } from '../start-error.js';
import type { TemporalClient } from './temporal.js';

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

/** How to register some by hand, where ROK's own command may not. */
const commandFor = (names: readonly string[], namespace: string): string =>
  names
    .filter((name): name is keyof typeof searchAttributeTypes => name in searchAttributeTypes)
    .reduce(
      (command, name) => `${command} --name ${name} --type ${searchAttributeTypes[name]}`,
      `temporal operator search-attribute create --namespace ${namespace}`,
    );

export const whatToDo = (missing: readonly string[], namespace: string): string =>
  `run \`rok migrate --temporal\`, or \`${commandFor(missing, namespace)}\``;

/**
 * A run sets these; where one is not registered, its workflow task fails again and again.
 * @throws StartError that names what is missing and the command
 */
export async function requireSearchAttributes({ connection, settings }: TemporalClient): Promise<void> {
  const { address, namespace } = settings;
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0) return;
  throw new StartError({
    code: 'search_attributes_missing',
    message: `namespace \`${namespace}\` of Temporal at \`${address}\` lacks the search attributes ${missing.join(', ')}`,
    hint: whatToDo(missing, namespace),
    exitCode: 9,
  });
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
