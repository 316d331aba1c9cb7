/**
 * The environment of a command: the process's own, completed by what a running `rok dev` of this folder wrote, so that
 * a second terminal needs no settings. Never mixes two stacks: whoever names one server must name all.
 */
import { readDevFile } from '../local/dev-file.js';

/** Where `rok dev` keeps its data, in the folder in which it was started. */
export const DATA_FOLDER = '.rok';

const NAMES_A_SERVER = /^(ROK_DATABASE_URL|TEMPORAL_(ADDRESS|CONFIG_FILE|PROFILE|NAMESPACE|API_KEY))/;

export async function commandEnvironment(
  folder: string,
  own: NodeJS.ProcessEnv = process.env,
): Promise<NodeJS.ProcessEnv> {
  const named = Object.entries(own).some(
    ([name, value]) => NAMES_A_SERVER.test(name) && value !== undefined && value !== '',
  );
  return named ? own : { ...(await readDevFile(folder)), ...own };
}
