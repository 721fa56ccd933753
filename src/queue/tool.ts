/** The commands of `kvitt dlq`. Answers go to standard output, everything else to standard error. */
import { Command, InvalidArgumentError } from 'commander';
import { PaymentsError } from '../payments/types.ts';
import type { Bounds, Choice, DeadLetterOffice, Order, Outcome } from './dead-letter-office.ts';
import type { Letter } from './letter.ts';

/** 0: done. 1: not all of it, or there is none. 2: it could not run. */
const EXIT = { ok: 0, refused: 1 } as const;
const LIST_LIMIT = 100;
const DETAIL_SHOWN = 80;

interface Output {
  readonly json?: boolean;
}

interface Chosen {
  readonly id?: string[];
  readonly reason?: string;
  readonly all?: boolean;
}

interface ActFlags extends Output, Chosen {
  readonly limit?: number;
  readonly rate?: number;
  readonly yes?: boolean;
}

/** What an operator did, for the audit log. */
export interface Deed {
  readonly action: 'dead_letters_redriven' | 'dead_letters_dropped';
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the commands need of the program around them. */
export interface ToolParts {
  /** Runs something with the dead letters of the settings. */
  withOffice(run: (office: DeadLetterOffice) => Promise<void>): Promise<void>;
  /** Runs what changes something. Fails first when it could not be kept. */
  withAudit(run: (record: (deed: Deed) => Promise<void>) => Promise<void>): Promise<void>;
  print(value: unknown, output: Output, text: () => string): void;
  table(head: readonly string[], rows: readonly (readonly string[])[], align: string): string;
  /** One line on a terminal that is written over. */
  progress(): (at: { phase: string; done: number; of: null }) => void;
  endProgress(): void;
}

export function deadLettersCommand(parts: ToolParts): Command {
  const tool = new Command('dlq').description('dead letters: messages of the SQS queue that could not be handled');
  // Before commands are added, which inherit it: it is the caller who says how a process ends that was called wrongly.
  tool.exitOverride();
  const command = (name: string, description: string) =>
    tool.command(name).description(description).option('--json', 'answer as JSON');
  command('list', 'what is in the dead-letter queue, oldest first')
    .option('--reason <reason>', 'only those with this reason')
    .option('--limit <count>', 'letters', positive, LIST_LIMIT)
    .action((flags: Output & { reason?: string; limit: number }) => runList(parts, flags));
  command('show <id>', 'one of them, with its body; exit 1 when there is none').action((id: string, flags: Output) =>
    runShow(parts, id, flags),
  );
  const choosing = (name: string, description: string) =>
    command(name, description)
      .option('--id <id...>', 'those with these ids, as `kvitt dlq list` shows them')
      .option('--reason <reason>', 'those with this reason')
      .option('--all', 'all of them')
      .option('--limit <count>', 'letters at most', positive);
  choosing('redrive', 'send letters back to their queue, where they are tried again; exit 1 when one could not be')
    .option('--rate <count>', 'letters in a second at most; 100 unless given', positive)
    .option('--yes', 'needed for all of them')
    .action((flags: ActFlags) => runRedrive(parts, flags));
  choosing('drop', 'delete letters for good; exit 1 when one could not be')
    .option('--yes', 'needed: it cannot be taken back')
    .action((flags: ActFlags) => runDrop(parts, flags));
  return tool;
}

async function runList(parts: ToolParts, { json, ...look }: Output & { limit: number }) {
  const { withOffice, print, table } = parts;
  await withOffice(async (office) => {
    const { letters, more } = await office
      .list({ ...look, ...boundsOf(parts, 'looked at') })
      .finally(parts.endProgress);
    print({ letters, more }, { json: json ?? false }, () => {
      const rows = letters.map((letter) => [
        letter.id,
        letter.sentAt?.toISOString() ?? '',
        letter.reason,
        letter.event?.id ?? '',
        String(letter.receiveCount ?? ''),
        (letter.detail ?? '').slice(0, DETAIL_SHOWN),
      ]);
      const shown = table(['id', 'sent', 'reason', 'event', 'receives', 'detail'], rows, 'llllrl');
      return more ? `${shown}There may be more.\n` : shown;
    });
  });
}

async function runShow(parts: ToolParts, id: string, flags: Output) {
  const { withOffice, print, table } = parts;
  await withOffice(async (office) => {
    try {
      const { letter, body, encoding } = await office.show(id, boundsOf(parts, 'looked at')).finally(parts.endProgress);
      print(
        { ...letter, contentEncoding: encoding, body },
        flags,
        () => `${table(['', ''], factsOf(letter), 'll')}\n${body}\n`,
      );
    } catch (error) {
      if (!(error instanceof PaymentsError)) throw error;
      say(error.message);
      process.exitCode = EXIT.refused;
    }
  });
}

function factsOf(letter: Letter): string[][] {
  const past = letter.history.map(
    ({ at, reason, receive_count: receives }) => `${at} ${reason}, received ${receives} times`,
  );
  return [
    ['id', letter.id],
    ['sent', letter.sentAt?.toISOString() ?? ''],
    ['reason', letter.reason],
    ['code', letter.code ?? ''],
    ['detail', letter.detail ?? ''],
    ['original message', letter.originalMessageId ?? ''],
    ['receives', String(letter.receiveCount ?? '')],
    ['event', letter.event === null ? '' : `${letter.event.id} (${letter.event.type})`],
    ['bytes', String(letter.size)],
    ...past.map((line, i) => [i === 0 ? 'history' : '', line]),
  ];
}

async function runRedrive(parts: ToolParts, flags: ActFlags): Promise<void> {
  const choice = choiceOf(flags);
  if ('all' in choice && !flags.yes)
    throw new Error('`kvitt dlq redrive --all` needs --yes: all of them are tried again');
  await act(parts, 'dead_letters_redriven', 'sent back', flags, choice, (office, order) =>
    office.redrive({ ...order, ratePerSecond: flags.rate }),
  );
}

async function runDrop(parts: ToolParts, flags: ActFlags): Promise<void> {
  const choice = choiceOf(flags);
  if (!flags.yes) throw new Error('`kvitt dlq drop` needs --yes: what is deleted cannot be taken back');
  await act(parts, 'dead_letters_dropped', 'deleted', flags, choice, (office, order) => office.drop(order));
}

async function act(
  parts: ToolParts,
  action: Deed['action'],
  did: string,
  flags: ActFlags,
  choice: Choice,
  run: (office: DeadLetterOffice, order: Order) => Promise<Outcome>,
): Promise<void> {
  const { withOffice, withAudit, print, endProgress } = parts;
  await withOffice((office) =>
    withAudit(async (record) => {
      const order = { choice, limit: flags.limit, ...boundsOf(parts, did) };
      const outcome = await run(office, order).finally(endProgress);
      const { done, failed, notDeleted } = outcome;
      if (done > 0) await record({ action, details: { ...choice, done, failed, not_deleted: notDeleted } });
      print(outcome, flags, () => describe(outcome, did));
      const isAll = failed === 0 && notDeleted === 0 && outcome.missing.length === 0 && outcome.problem === null;
      process.exitCode = isAll ? EXIT.ok : EXIT.refused;
    }),
  );
}

/** It shows how far it is, and ends when it is told to: after what it holds is given back. */
function boundsOf({ progress }: ToolParts, phase: string): Bounds {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const show = progress();
  return { signal: stopping.signal, onProgress: (done) => show({ phase, done, of: null }) };
}

function describe({ done, failed, notDeleted, missing, more, problem }: Outcome, did: string): string {
  const lines = [`${done} ${did}`];
  if (failed > 0) lines.push(`${failed} could not be, and are there as before`);
  if (notDeleted > 0) {
    lines.push(
      `${notDeleted} of those sent back could not be deleted, and are there still: sent again, they are replayed`,
    );
  }
  for (const id of missing) lines.push(`not found: ${id}`);
  if (problem !== null) lines.push(`stopped on the way: ${problem}`);
  if (more) lines.push('there may be more');
  return `${lines.join('\n')}\n`;
}

function choiceOf({ id: ids, reason, all }: Chosen): Choice {
  const choices: Choice[] = [
    ...(ids === undefined ? [] : [{ ids }]),
    ...(reason === undefined ? [] : [{ reason }]),
    ...(all ? [{ all: true as const }] : []),
  ];
  const [choice] = choices;
  if (choice === undefined || choices.length > 1)
    throw new Error('choose letters with one of --id, --reason and --all');
  return choice;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 999999.');
  return Number(text);
}

function say(text: string): void {
  process.stderr.write(`kvitt dlq: ${text}\n`);
}
