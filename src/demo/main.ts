/** `npm run demo`: the whole job, on real parts, with the service killed half-way; every figure is checked. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSqsClient } from '../queue/client.ts';
import { ApiUser, inParallel, type Sent } from './api.ts';
import { Checks } from './checks.ts';
import { prepareLocal } from './local.ts';
import { expectedBalances, makePlan, type Plan } from './plan.ts';
import { drained, sendEvents, takeDeadLetters } from './queue.ts';
import { runKvitt } from './service-process.ts';
import { statementWithDifferences } from './statement.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const WORKERS = 32;
const RECOVERED_MS_MAX = 20_000;
const keep = process.argv.includes('--keep');
const began = Date.now();

function say(text: string): void {
  process.stdout.write(`${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${text}\n`);
}

say('starting a MongoDB replica set of three members, and an SQS server');
const local = await prepareLocal({
  SQS_WAIT_SECONDS: '1',
  SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
  RECOVERY_AFTER_SECONDS: '2',
});
const { environment, service, folder, queueUrl, deadLetterQueueUrl } = local;
const sqsClient = createSqsClient(local.sqs);
const user = new ApiUser(service.address, local.apiKey);

async function cleanUp(): Promise<void> {
  sqsClient.destroy();
  await local.close();
}

interface Answers {
  readonly first: Sent[];
  readonly again: Sent[];
  readonly retries: number;
}

/** Posts everything, kills the service when half of it is answered, starts it again, and goes on. */
async function payAndKill({ overHttp }: Plan): Promise<Answers> {
  const first: Sent[] = [];
  const again: Sent[] = [];
  let killed: Promise<void> | null = null;
  const killAndRestart = async () => {
    await service.end('SIGKILL');
    say(`killed the service with SIGKILL after ${first.length} answers; starting it again`);
    await service.start();
    say('the service is back');
  };
  await inParallel(overHttp, WORKERS, async (payment) => {
    const answer = await user.pay(payment);
    first.push(answer);
    if (first.length >= overHttp.length / 2) killed ??= killAndRestart();
    for (let i = 1; i < payment.times; i++) again.push(await user.pay(payment));
  });
  await killed;
  return { first, again, retries: first.concat(again).reduce((sum, { retries }) => sum + retries, 0) };
}

async function checkAnswers(checks: Checks, plan: Plan, { first, again, retries }: Answers): Promise<void> {
  const planned = (outcome: string) => plan.overHttp.filter((one) => one.outcome === outcome).length;
  checks.equal('payments sent over HTTP', first.length, plan.overHttp.length);
  checks.equal('  answered as posted', first.filter(({ status }) => status === 201).length, planned('posted'));
  const refused = first.filter(({ status, body }) => status === 422 && body.code === 'insufficient_funds');
  checks.equal('  refused for lack of funds', refused.length, planned('refused'));
  const replayed = again.filter(({ replayed }) => replayed);
  checks.equal('  sent again and answered as replayed', replayed.length, again.length);
  checks.note('  sent again because the service was gone', retries);
}

interface Verified {
  readonly books: readonly { readonly entries: number }[];
  readonly break_count: number;
  readonly pending: number;
}

/** What the killed service had begun is finished by the next one, a few seconds later: it is given that time. */
async function verified(): Promise<{ code: number; answer: Verified }> {
  const until = Date.now() + RECOVERED_MS_MAX;
  for (;;) {
    const result = await runKvitt<Verified>(['verify'], environment);
    if (result.answer.pending === 0 || Date.now() > until) return result;
    await sleep(1000);
  }
}

async function checkLedger(checks: Checks, plan: Plan): Promise<void> {
  const expected = expectedBalances(plan);
  let right = 0;
  await inParallel([...expected], 8, async ([id, balance]) => {
    const { posted } = await user.get<{ posted: string }>(`/v1/accounts/${id}/balance`);
    if (BigInt(posted) === balance) right++;
  });
  checks.equal('accounts with exactly the expected balance', right, expected.size);
  const trial = await user.get<{ data: { currency: string; sum: string }[] }>('/v1/trial_balance');
  checks.equal('currencies whose trial balance is zero', trial.data.filter(({ sum }) => sum === '0').length, 2);
  const { code, answer } = await verified();
  const all = plan.funding.length + plan.overHttp.length + plan.overSqs.length;
  checks.equal('entries in the journal: one a payment, no more', answer.books[0]?.entries ?? 0, all);
  checks.equal('broken invariants (kvitt verify)', answer.break_count, 0);
  checks.equal('claims left pending', answer.pending, 0);
  checks.equal('exit code of kvitt verify', code, 0);
}

async function checkStatement(checks: Checks, plan: Plan): Promise<void> {
  const posted = [...plan.funding, ...plan.overHttp, ...plan.overSqs].filter(({ outcome }) => outcome === 'posted');
  const statement = statementWithDifferences(posted, new Date().toISOString().slice(0, 10));
  const file = join(folder, 'statement.csv');
  await writeFile(file, statement.csv);
  interface Reconciled {
    items: { cause: string; reference: string }[];
    report: { external: { matched_lines: number } };
  }
  const { code, answer } = await runKvitt<Reconciled>(['reconcile', file], environment);
  const found = answer.items.map(({ cause, reference }) => `${cause} ${reference}`).sort();
  const changed = statement.planted.filter((one) => one.startsWith('amount')).length;
  const invented = statement.planted.filter((one) => one.startsWith('missing_here')).length;
  checks.equal('statement lines matched', answer.report.external.matched_lines, statement.records - changed - invented);
  checks.equal('differences found, each one planted', found.join(), statement.planted.join(), statement.planted.length);
  checks.equal('exit code of kvitt reconcile', code, 1);
}

async function run(): Promise<boolean> {
  const plan = makePlan();
  const checks = new Checks();
  await service.start();
  say(`the service answers at ${service.address}`);
  await inParallel(plan.accounts, 8, (account) => user.createAccount(account));
  await inParallel(plan.funding, 8, async (payment) => {
    if ((await user.pay(payment)).status !== 201) throw new Error(`${payment.key} was not posted`);
  });
  say(
    `${plan.accounts.length} accounts in two currencies are there; now ${plan.overHttp.length} payments and ${plan.overSqs.length} events`,
  );
  const [answers, sent] = await Promise.all([
    payAndKill(plan),
    sendEvents(sqsClient, queueUrl, plan.overSqs, plan.malformed),
  ]);
  const left = await drained(sqsClient, queueUrl);
  say('everything is answered and the queue is empty; checking');
  await checkAnswers(checks, plan, answers);
  const twice = plan.overSqs.filter(({ times }) => times > 1).length;
  checks.equal('events sent over SQS', sent, plan.overSqs.length + twice + plan.malformed.length);
  checks.equal('  left in the queue', left, 0);
  const reasons = await takeDeadLetters(sqsClient, deadLetterQueueUrl);
  checks.equal('  malformed or impossible, dead-lettered with a reason', reasons.size, plan.malformed.length);
  await checkLedger(checks, plan);
  await checkStatement(checks, plan);
  process.stdout.write(checks.render());
  return checks.hold;
}

try {
  const ok = await run();
  say(ok ? 'all of it holds' : 'SOMETHING DOES NOT HOLD');
  process.exitCode = ok ? 0 : 1;
  if (keep) {
    process.stdout.write(
      `\nIt runs on at ${service.address} (try ${service.address}/docs), with the API key\n  ${local.apiKey}\nEnd it with Ctrl-C.\n`,
    );
    await new Promise<void>((resolve) => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    });
  }
} catch (error) {
  process.stderr.write(`The demo could not run: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await cleanUp();
}
