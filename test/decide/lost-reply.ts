/** A way to PostgreSQL on which the reply to a commit is lost: the server has committed, the client sees its connection end. */
import { connect, createServer, type AddressInfo } from 'node:net';

export type LosingWay = {
  /** The same database by this way. */
  url(of: string): string;
  /** How many replies were lost. */
  readonly lost: number;
  close(): Promise<void>;
};

const COMMIT = Buffer.from('COMMIT\0');

export async function openLosingWay(target: string): Promise<LosingWay> {
  const { hostname, port } = new URL(target);
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let committing = false;
    client.on('data', (bytes) => {
      if (bytes.includes(COMMIT)) committing = true;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      // What was sent together with the commit is answered before it: the server is not done until it says so.
      if (!committing || !bytes.includes(COMMIT)) {
        client.write(bytes);
        return;
      }
      lost += 1;
      client.destroy();
      upstream.destroy();
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url(of) {
      const through = new URL(of);
      through.hostname = '127.0.0.1';
      through.port = String((server.address() as AddressInfo).port);
      return through.href;
    },
    get lost() {
      return lost;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
}
