/**
 * A TCP proxy on loopback that can freeze the connections it has, as a firewall does that forgot them: both ends stay
 * open, nothing comes through any more. New ones are served.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type FreezingProxy = {
  readonly port: number;
  /** The same URL, by way of the proxy. */
  through(url: string): string;
  /** From now on nothing passes on any connection there is. @returns how many were frozen by this */
  freeze(): number;
  /** As `freeze`, but of connections that are made later too. */
  freezeNew(frozen: boolean): void;
  /** Connections that are open and not frozen. */
  live(): number;
  /** Connections that were ever made to it. */
  made(): number;
  close(): Promise<void>;
};

type Pair = { readonly here: Socket; readonly there: Socket; frozen: boolean };

/** @param target `endFrozenAfterMs`: when both sides learn that a frozen connection is gone; never, unless given */
export async function startFreezingProxy(target: {
  readonly host: string;
  readonly port: number;
  readonly endFrozenAfterMs?: number;
}): Promise<FreezingProxy> {
  const pairs = new Set<Pair>();
  let newAreFrozen = false;
  let made = 0;
  const end = (pair: Pair): void => {
    pair.here.destroy();
    pair.there.destroy();
    pairs.delete(pair);
  };
  const freezePair = (pair: Pair): void => {
    pair.frozen = true;
    // Not read any more: what either side sends stays in the buffers of the kernel.
    for (const socket of [pair.here, pair.there]) socket.unpipe().pause();
    if (target.endFrozenAfterMs === undefined) return;
    setTimeout(() => {
      end(pair);
    }, target.endFrozenAfterMs).unref();
  };
  const server = createServer((here) => {
    made += 1;
    const there = connect(target.port, target.host);
    const pair: Pair = { here, there, frozen: false };
    pairs.add(pair);
    for (const [socket, other] of [
      [here, there],
      [there, here],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        // Who is frozen does not learn that the other side left.
        if (!pair.frozen) {
          other.destroy();
          pairs.delete(pair);
        }
      });
      socket.pipe(other);
    }
    if (newAreFrozen) freezePair(pair);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    through(url) {
      const changed = new URL(url);
      changed.hostname = '127.0.0.1';
      changed.port = String(port);
      return changed.href;
    },
    freeze() {
      const warm = [...pairs].filter((pair) => !pair.frozen);
      for (const pair of warm) freezePair(pair);
      return warm.length;
    },
    freezeNew(frozen) {
      newAreFrozen = frozen;
    },
    made: () => made,
    live: () => [...pairs].filter((pair) => !pair.frozen).length,
    async close() {
      for (const pair of pairs) end(pair);
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
