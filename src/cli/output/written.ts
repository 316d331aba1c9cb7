/**
 * Waits until a stream's output has left the process: a process that ends earlier cuts off the output of a slow pipe.
 */
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
