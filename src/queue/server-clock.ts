import type { SQSClient } from '@aws-sdk/client-sqs';

/** What time it is at the server: by the `Date` of its latest answer, to the second. Before the first: by our clock. */
export class ServerClock {
  #offsetMs = 0;

  /** Listens to the answers that this client gets. */
  constructor(client: SQSClient) {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        this.#read(result.response);
        return result;
      },
      { step: 'deserialize', priority: 'high' },
    );
  }

  /** ms since 1970. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  #read(response: unknown): void {
    const { headers } = (response ?? {}) as { headers?: Record<string, string> };
    const serverMs = Date.parse(headers?.date ?? '');
    if (Number.isFinite(serverMs)) this.#offsetMs = serverMs - Date.now();
  }
}
