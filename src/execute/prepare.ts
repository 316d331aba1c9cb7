/**
 * What a run needs before its first step: its salt, and the first context of tools, instructions and input. And the texts of
 * ROK's own that go into the conversation later. Calls nothing.
 */
import { canonicalJson } from '../domain/canonical-json.js';
import { RokError } from '../domain/errors.js';
import type { Digest } from '../domain/ids.js';
import type { Json } from '../domain/json.js';
import type { PrepareInput, Prepared, TellInput } from '../domain/protocol/execute.js';
import { storeContext } from './context-chain.js';
import { contentOf, loadSalt, makeSalt, putContents } from './content-store.js';
import { toolsText } from './conversation.js';
import { cutText } from './cut-text.js';
import type { ExecuteDeps } from './deps.js';
import { agentOf } from './step.js';

const TOLD_BYTES = 4_096;

/** Idempotent. @throws RokError agent_unknown, skill_unknown or model_unknown, each for good */
export async function prepare(
  deps: ExecuteDeps,
  { run, agent: name, agentDigest, input }: PrepareInput,
): Promise<Prepared> {
  const agent = agentOf(deps, name, agentDigest);
  if (!deps.registry.serves(agent.model))
    throw new RokError('model_unknown', `no provider of this worker serves \`${agent.model}\``);
  const tools = toolsText(deps.registry.schemas(agent.skills));
  return deps.database.transaction(async (sql) => {
    const salt = await makeSalt(sql, run);
    const contents = [
      contentOf(salt, 'tools', tools),
      contentOf(salt, 'system', agent.instructions),
      contentOf(salt, 'user', inputText(input)),
    ];
    await putContents(sql, run, contents);
    const roles = ['tools', 'system', 'user'] as const;
    const added = contents.map(({ digest }, at) => ({ role: roles[at] ?? 'user', content: digest }));
    return { contextDigest: await storeContext(sql, run, { base: null, added }) };
  });
}

export async function tell({ database }: ExecuteDeps, { run, texts }: TellInput): Promise<readonly Digest[]> {
  const salt = await loadSalt(database, run);
  const contents = texts.map((text) => contentOf(salt, 'told', cutText(text, TOLD_BYTES)));
  await putContents(database, run, contents);
  return contents.map(({ digest }) => digest);
}

const inputText = (input: Json): string => (typeof input === 'string' ? input : canonicalJson(input));
