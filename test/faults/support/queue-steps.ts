import type { Step } from './sqs-proxy.ts';

/** Where a consumer can be killed between two calls of the queue. */
export const STEPS: readonly (readonly [name: string, action: RegExp, step: Step])[] = [
  ['when the server has handed messages out to it', /^ReceiveMessage$/, 'after'],
  ['when it has received messages', /^ReceiveMessage$/, 'answered'],
  ['when the work is done and nothing is deleted', /^DeleteMessage/, 'before'],
  ['when messages are deleted and it does not know', /^DeleteMessage/, 'after'],
  ['when it is about to send a dead letter', /^SendMessage/, 'before'],
  ['when a dead letter is sent and its message not deleted', /^SendMessage/, 'after'],
];
