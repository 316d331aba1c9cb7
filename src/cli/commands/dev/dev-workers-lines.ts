/** The lines by which the process of dev-workers.ts reports to dev-session.ts, among the lines of its log. */
import { StartError, type StartProblem } from '../../../platform/start-error.js';

export const READY = '{"dev":"workers are ready"}';
const REFUSED = '{"dev":"workers refuse",';

export function refusalLine({ code, message, hint, exitCode }: StartError): string {
  const problem: StartProblem = { code, message, hint, exitCode };
  return `${REFUSED}"problem":${JSON.stringify(problem)}}`;
}

/** Null: another line. */
export function refusalOf(line: string): StartError | null {
  if (!line.startsWith(REFUSED)) return null;
  const { problem } = JSON.parse(line) as { readonly problem: StartProblem };
  return new StartError(problem);
}
