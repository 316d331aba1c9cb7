/** Follows a run on the terminal until its end, a timeout, or Ctrl-C; the run itself goes on in the last two cases. */
import { exitCodeOf } from '../output/exit-codes.js';
import { follow } from './follow.js';
import type { Session } from './session.js';
import { asEvent, tell } from '../output/format-event.js';

export type Watching = {
  readonly name: string;
  readonly after?: number;
  readonly timeoutMs?: number;
  readonly quiet?: boolean;
};

/** @returns the exit code of the run's end, 8 at the timeout, 130 at Ctrl-C */
export async function watchRun(
  { print, reader, interrupted }: Session,
  { name, after, timeoutMs, quiet }: Watching,
): Promise<number> {
  const ctrlC = interrupted();
  const signal = timeoutMs === undefined ? ctrlC : AbortSignal.any([ctrlC, AbortSignal.timeout(timeoutMs)]);
  let seen = after ?? 0;
  for await (const happening of follow(await reader(), name, { signal, after: seen })) {
    if (happening.type === 'trace') seen = happening.line.seq;
    if (quiet !== true || happening.type === 'end') {
      const line = print.json ? null : tell(happening);
      if (print.json) print.object(asEvent(happening));
      else if (line !== null) print.data(line);
    }
    if (happening.type === 'end') return exitCodeOf(happening.view);
  }
  print.say(`\`${name}\` goes on; \`rok run watch ${name} --after ${seen}\` takes it up again`);
  return ctrlC.aborted ? 130 : 8;
}
