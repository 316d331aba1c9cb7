/** Waits until what was written to a stream has left the process: ending one earlier cuts what a slow reader of a pipe gets. */
import type { Writable } from 'node:stream';

/** Resolves too where nobody reads any more. */
export const written = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    stream.once('error', () => {
      resolve();
    });
    stream.write('', () => {
      resolve();
    });
  });
