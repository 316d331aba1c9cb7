/**
 * Stores a run's first context when its first call comes: salt, tools, instructions and input, under the digest by
 * which the deciding power committed to the input. Also counts, when a worker starts, the tokens that each agent adds
 * to a conversation.
 */
import type { Agent } from '../../domain/agent.js';
import type { ContextEntry } from '../../domain/context.js';
import { RokError } from '../../domain/errors.js';
import { uuidOf, type RunId } from '../../domain/ids.js';
import { inputText, inputCommitmentDigest } from '../../domain/input-commitment.js';
import type { FirstInput } from '../../domain/protocol/execute.js';
import type { Database, Sql } from '../../domain/sql.js';
import { tokenUpperBound } from '../../domain/tokens.js';
import { contentOf, makeSalt, putContents, type Content } from './content-store.js';
import { toolsText } from './conversation.js';
import type { Registry } from '../registry.js';

const ROLES = ['tools', 'system', 'user'] as const;

/** The contents that begin a conversation. @throws RokError skill_unknown */
export const firstContextContents = (
  registry: Registry,
  agent: Agent,
  salt: Uint8Array,
  input: string,
): readonly Content[] => [
  contentOf(salt, 'tools', toolsText(registry.schemas(agent.skills))),
  contentOf(salt, 'system', agent.instructions),
  contentOf(salt, 'user', input),
];

export const firstContextEntries = (contents: readonly Content[]): readonly ContextEntry[] =>
  contents.map(({ digest }, at) => ({ role: ROLES[at] ?? 'user', content: digest }));

/**
 * Idempotent.
 * @throws RokError content_changed when the input is not what the deciders committed to; agent_unknown when this worker's
 * agent brings more than they counted
 */
export async function storeFirstContext(
  { database, registry }: { readonly database: Database; readonly registry: Registry },
  run: RunId,
  agent: Agent,
  { input: given, nonce, tokens, digest }: FirstInput,
): Promise<void> {
  const input = inputText(given);
  if (inputCommitmentDigest(nonce, agent.digest, input) !== digest)
    throw new RokError('content_changed', `the input of run \`${run}\` is not the one it was opened with`);
  await database.transaction(async (sql) => {
    const contents = firstContextContents(registry, agent, await makeSalt(sql, run), input);
    const bytes = contents.reduce((sum, content) => sum + content.bytes.length, 0);
    const counted = contents.reduce((sum, content) => sum + tokenUpperBound(content.bytes.length), 0);
    if (counted > tokens)
      throw new RokError('agent_unknown', `agent \`${agent.name}\` brings more to a conversation than was counted`);
    await putContents(sql, run, contents);
    void sql.query(
      `INSERT INTO execute.contexts (run_id, digest, opening, added, byte_count, token_count)
       VALUES ($1, $2, true, $3::jsonb, $4, $5) ON CONFLICT (run_id, digest) DO NOTHING`,
      [uuidOf(run), digest, JSON.stringify(firstContextEntries(contents)), bytes, counted],
    );
  });
}

/** Counts what each agent brings. An agent whose skills this worker lacks is left out: its runs fail at their first step. */
export async function storePromptOverheads(sql: Sql, registry: Registry, agents: Iterable<Agent>): Promise<void> {
  const counted = [...agents].flatMap((agent) => {
    try {
      const tools = toolsText(registry.schemas(agent.skills));
      const tokens = [tools, agent.instructions].map((text) => tokenUpperBound(Buffer.byteLength(text, 'utf8')));
      return [{ digest: agent.digest, tokens: tokens.reduce((sum, one) => sum + one, 0) }];
    } catch {
      return [];
    }
  });
  await sql.query(
    `INSERT INTO execute.preludes (agent_digest, token_count)
     SELECT * FROM unnest($1::text[], $2::integer[]) ON CONFLICT DO NOTHING`,
    [counted.map(({ digest }) => digest), counted.map(({ tokens }) => tokens)],
  );
}
