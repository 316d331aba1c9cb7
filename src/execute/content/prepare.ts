/**
 * Prepares a run whose first step cannot bring its first context, because no worker has counted the agent's tokens yet:
 * stores salt and first context, and ROK's own texts that enter the conversation later. Calls nothing.
 */
import { RokError } from '../../domain/errors.js';
import type { Digest } from '../../domain/ids.js';
import { inputText } from '../../domain/input-commitment.js';
import type { PrepareInput, Prepared, TellInput } from '../../domain/protocol/execute.js';
import { storeContext } from './context-chain.js';
import { contentOf, loadSalt, makeSalt, putContents } from './content-store.js';
import { cutText } from './cut-text.js';
import type { ExecuteDeps } from '../deps.js';
import { firstContextContents, firstContextEntries } from './first-context.js';
import { agentOf } from '../run-runner.js';

const TOLD_BYTES = 4_096;

/** Idempotent. @throws RokError agent_unknown, skill_unknown or model_unknown, each for good */
export async function prepare(
  deps: ExecuteDeps,
  { run, agent: name, agentDigest, input }: PrepareInput,
): Promise<Prepared> {
  const agent = agentOf(deps, name, agentDigest);
  if (!deps.registry.serves(agent.model))
    throw new RokError('model_unknown', `no provider of this worker serves \`${agent.model}\``);
  return deps.database.transaction(async (sql) => {
    const contents = firstContextContents(deps.registry, agent, await makeSalt(sql, run), inputText(input));
    await putContents(sql, run, contents);
    return { contextDigest: await storeContext(sql, run, { base: null, added: firstContextEntries(contents) }) };
  });
}

export async function tell({ database }: ExecuteDeps, { run, texts }: TellInput): Promise<readonly Digest[]> {
  const salt = await loadSalt(database, run);
  const contents = texts.map((text) => contentOf(salt, 'told', cutText(text, TOLD_BYTES)));
  await putContents(database, run, contents);
  return contents.map(({ digest }) => digest);
}
