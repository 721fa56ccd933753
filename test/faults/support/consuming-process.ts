import { join } from 'node:path';
import { ServiceProcess } from '../../../src/demo/service-process.ts';
import { generateApiKey } from '../../../src/http/auth.ts';
import { freePort } from '../../../src/mongo/free-ports.ts';
import type { Random } from '../../simulation/virtual-world.ts';
import { BOOKS } from './event-plan.ts';
import { SqsProxy, type Step } from './sqs-proxy.ts';

export interface ConsumingPlan {
  readonly mongodbUri: string;
  readonly database: string;
  readonly sqsEndpoint: string;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  /** For its logs. */
  readonly folder: string;
  /** Draws the faults of its proxy. */
  readonly random: Random;
  readonly settings?: Readonly<Record<string, string>>;
  /** What Node.js is given to run. */
  readonly program: readonly string[];
}

/** `kvitt serve` in a process of its own, that reaches its queues through a proxy of its own. */
export class ConsumingProcess {
  private constructor(
    readonly proxy: SqsProxy,
    readonly process: ServiceProcess,
  ) {}

  /** Not started. */
  static async create(plan: ConsumingPlan): Promise<ConsumingProcess> {
    const proxy = await SqsProxy.start(plan.sqsEndpoint, plan.random);
    const port = await freePort();
    const environment = {
      MONGODB_URI: plan.mongodbUri,
      MONGODB_DATABASE: plan.database,
      HTTP_PORT: String(port),
      BOOKS: String(BOOKS),
      BOOTSTRAP_API_KEY: generateApiKey(),
      RECOVERY_AFTER_SECONDS: '1',
      SQS_ENDPOINT: proxy.endpoint,
      SQS_QUEUE_URL: plan.queueUrl,
      SQS_DEAD_LETTER_QUEUE_URL: plan.deadLetterQueueUrl,
      SQS_WAIT_SECONDS: '1',
      SQS_VISIBILITY_TIMEOUT_SECONDS: '3',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      ...plan.settings,
    };
    const log = join(plan.folder, `consumer-${port}.log`);
    return new ConsumingProcess(proxy, new ServiceProcess(`http://127.0.0.1:${port}`, environment, log, plan.program));
  }

  start(): Promise<void> {
    return this.process.start();
  }

  /** Resolves when it was killed at this step, and what it had to say there was never said. */
  async killAt(action: RegExp, step: Step): Promise<void> {
    const { sprung } = this.proxy.trap(action, step);
    await sprung;
    await this.process.end('SIGKILL');
  }

  /** Ends in order, frozen or not. Answers its exit code. */
  stop(): Promise<number | null> {
    this.process.signal('SIGCONT');
    return this.process.end('SIGTERM');
  }

  async close(): Promise<void> {
    this.process.signal('SIGCONT');
    await this.process.end('SIGKILL');
    await this.proxy.stop();
  }
}
