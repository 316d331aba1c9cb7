/**
 * A real HTTP server that speaks OpenAI's chat completions, answering from a script and keeping a log of every request, so
 * that a test can count what was really asked. It keeps no place in the script: the number of assistant messages in the
 * request says which line answers, so clients may die and come back. Also a process of its own:
 *   tsx test/execute/openai-server.ts --script FILE --log FILE [--port N]   (prints {"baseUrl": …} when it listens)
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';

export type OpenAiAnswer = {
  readonly content?: string;
  readonly toolCalls?: readonly { readonly id?: string; readonly name: string; readonly arguments: unknown }[];
  /** null: the server reports none. */
  readonly usage?: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly cachedInputTokens?: number;
    readonly reasoningTokens?: number;
    /** Input and output unless it is told; null: left out. */
    readonly totalTokens?: number | null;
  } | null;
  readonly finishReason?: string;
  readonly model?: string;
  readonly delayMs?: number;
  /** Befalls the first `faultTimes` (1) requests for this line: hang, cut the body, drop the socket, or an HTTP status. */
  readonly fault?: 'hang' | 'cut' | 'reset' | number;
  readonly faultTimes?: number;
  readonly retryAfter?: string;
};
export type OpenAiLogLine = {
  readonly event: 'request' | 'answer' | 'closed';
  readonly n: number;
  readonly turn: number;
  readonly at: string;
  /** Of a request: its body and whether it carried a bearer key. */
  readonly body?: OpenAiBody;
  readonly authorized?: boolean;
  /** Of an answer: what was done. */
  readonly did?: string;
};
export type OpenAiBody = {
  readonly model: string;
  readonly max_tokens?: number;
  readonly messages: readonly { readonly role: string; readonly content: unknown; readonly tool_calls?: unknown }[];
  readonly tools?: readonly { readonly function: { readonly name: string; readonly parameters: unknown } }[];
};
export type OpenAiServer = { readonly baseUrl: string; log(): readonly OpenAiLogLine[]; close(): Promise<void> };
export type OpenAiServerOptions = {
  readonly answers: readonly OpenAiAnswer[];
  readonly logFile: string;
  readonly port?: number;
};

export async function startOpenAiServer({ answers, logFile, port = 0 }: OpenAiServerOptions): Promise<OpenAiServer> {
  const asked = new Map<string, number>();
  let count = 0;
  // Synchronous, so that a line is in the file before the client can see the answer.
  const write = (line: Omit<OpenAiLogLine, 'at'>): void => {
    appendFileSync(logFile, `${JSON.stringify({ ...line, at: new Date().toISOString() })}\n`);
  };
  appendFileSync(logFile, '');
  const server = createServer((request, response) => {
    void serve(request, response);
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await textOf(request)) as OpenAiBody;
    const turn = body.messages.filter((message) => message.role === 'assistant').length;
    const n = (count += 1);
    write({ event: 'request', n, turn, body, authorized: (request.headers.authorization ?? '').startsWith('Bearer ') });
    response.on('close', () => {
      if (!response.writableFinished) write({ event: 'closed', n, turn });
    });
    const answer = answers[turn];
    if (answer === undefined) {
      refuse(response, 400, undefined);
      return;
    }
    const key = JSON.stringify([turn, body.messages.find((message) => message.role === 'user')?.content]);
    const times = (asked.get(key) ?? 0) + 1;
    asked.set(key, times);
    if (answer.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    const fault = times <= (answer.faultTimes ?? 1) ? answer.fault : undefined;
    reply(response, answer, body, fault);
    write({ event: 'answer', n, turn, did: fault === undefined ? 'answered' : String(fault) });
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    log: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as OpenAiLogLine),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function reply(response: ServerResponse, answer: OpenAiAnswer, body: OpenAiBody, fault: OpenAiAnswer['fault']): void {
  if (fault === 'hang') return;
  if (fault === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  if (typeof fault === 'number') {
    refuse(response, fault, answer.retryAfter);
    return;
  }
  const text = JSON.stringify(completion(answer, body));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  if (fault === 'cut') response.write(text.slice(0, text.length / 2), () => response.destroy());
  else response.end(text);
}

function refuse(response: ServerResponse, status: number, retryAfter: string | undefined): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    ...(status >= 300 && status < 400 ? { location: 'http://127.0.0.1:9/v1/elsewhere' } : {}),
  });
  response.end(JSON.stringify({ error: { message: `scripted ${status}`, type: 'scripted', code: null } }));
}

function completion(answer: OpenAiAnswer, body: OpenAiBody): object {
  const toolCalls = (answer.toolCalls ?? []).map(({ id, name, arguments: args }, at) => ({
    id: id ?? `call_${at + 1}`,
    type: 'function',
    function: {
      name: name.replaceAll('.', '_'),
      arguments: typeof args === 'string' ? args : JSON.stringify(args),
    },
  }));
  return {
    id: 'chatcmpl-scripted',
    object: 'chat.completion',
    created: 1,
    model: answer.model ?? body.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.content ?? null,
          ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
        },
        finish_reason: answer.finishReason ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop'),
      },
    ],
    ...(answer.usage === null ? {} : { usage: usageOf(answer.usage) }),
  };
}

const usageOf = (usage: NonNullable<OpenAiAnswer['usage']> = { inputTokens: 10, outputTokens: 5 }): object => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  ...(usage.totalTokens === null ? {} : { total_tokens: usage.totalTokens ?? usage.inputTokens + usage.outputTokens }),
  prompt_tokens_details: { cached_tokens: usage.cachedInputTokens ?? 0 },
  completion_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
});

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { script: { type: 'string' }, log: { type: 'string' }, port: { type: 'string' } },
  });
  const answers = readFileSync(values.script ?? '', 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as OpenAiAnswer);
  const port = values.port === undefined ? {} : { port: Number(values.port) };
  const server = await startOpenAiServer({ answers, logFile: values.log ?? '', ...port });
  process.stdout.write(`${JSON.stringify({ baseUrl: server.baseUrl })}\n`);
}

if (process.argv[1]?.endsWith('openai-server.ts') === true) await main();
