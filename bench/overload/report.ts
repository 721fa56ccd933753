import { median } from '../measure.ts';
import { machine } from '../report.ts';
import type { Checked } from './check.ts';
import type { Ended, Second } from './messages.ts';

const WANTED_RATIO = 0.9;
const FLAT_WITHIN = 0.1;
const LOWEST_OVER_S = 10;

/** Of the service process, once a second. */
export interface Sample {
  readonly residentMiB: number;
  readonly heapMiB: number;
  readonly loopLagMs: number;
}

export interface Run {
  readonly date: string;
  readonly mongod: string;
  readonly minutes: number;
  readonly factor: number;
  readonly queue: number;
  /** Payments a second. */
  readonly capacity: number;
  readonly connections: readonly number[];
  readonly seconds: readonly Second[];
  readonly samples: readonly Sample[];
  readonly ended: Ended;
  readonly checked: Checked;
}

export function render(run: Run): string {
  const { capacity, seconds, samples, ended, checked } = run;
  const total = (what: keyof Second) => seconds.reduce((sum, second) => sum + second[what], 0);
  const duration = total('seconds');
  const accepted = seconds.map((second) => second.accepted / second.seconds);
  const ratio = total('accepted') / duration / capacity;
  const memory = memoryOf(samples.map(({ residentMiB }) => residentMiB));
  const { refusalMs } = ended;
  const rows: [figure: string, value: string][] = [
    [`capacity: the best of closed loops over ${run.connections.join(', ')} connections`, `${whole(capacity)}/s`],
    [`sent in an open loop, ${run.factor} times that`, `${whole(total('sent') / duration)}/s`],
    ['accepted: median', `${whole(median(accepted))}/s`],
    [`accepted: lowest ${LOWEST_OVER_S} s`, `${whole(lowest(accepted))}/s`],
    ['accepted ÷ capacity', `${ratio.toFixed(2)}, wanted ${WANTED_RATIO} ${mark(ratio >= WANTED_RATIO)}`],
    ['refused with 503', `${whole(total('refused') / duration)}/s`],
    ['refused without `Retry-After`', `${whole(total('withoutRetryAfter'))} ${mark(total('withoutRetryAfter') === 0)}`],
    ['any other answer, or none', whole(total('others'))],
    ['time to a refusal: p50, p99, highest', [refusalMs.p50, refusalMs.p99, refusalMs.max].map(ms).join(', ')],
    ['memory (RSS) of the service: after a tenth, at half, at the end', memory.at.map(mib).join(', ')],
    ['memory: highest', mib(memory.highest)],
    [
      'memory: last third ÷ the third before',
      `${memory.growth.toFixed(2)}, ${memory.isFlat ? 'flat' : '**not flat**'}`,
    ],
    ['heap of the service, median', mib(median(samples.map(({ heapMiB }) => heapMiB)))],
    ['lag of its event loop, p99 in a second: median', ms(median(samples.map(({ loopLagMs }) => loopLagMs)))],
    [
      'acknowledged and in the journal exactly once',
      `${whole(checked.once)} of ${whole(checked.acknowledged)} ${mark(checked.once === checked.acknowledged)}`,
    ],
    ['in the journal more than once', `${whole(checked.repeated)} ${mark(checked.repeated === 0)}`],
  ];
  return [
    `Measured on ${run.date}: ${machine()}, MongoDB ${run.mongod},`,
    `three members, the service and the sender on the same machine; ${run.minutes} minutes, \`QUEUE_COMMANDS_MAX=${run.queue}\`.`,
    '',
    '| figure | |',
    '|---|---:|',
    ...rows.map(([figure, value]) => `| ${figure} | ${value} |`),
  ].join('\n');
}

/** What says that the sender was the limit and the service had not to bear what it was meant to; empty: it was not. */
export function limitsOfSender(seconds: readonly Second[], perSecond: number): string[] {
  const sum = (what: keyof Second) => seconds.reduce((all, second) => all + second[what], 0);
  const sent = sum('sent') / sum('seconds');
  const late = Math.max(...seconds.map(({ lateMs }) => lateMs));
  return [
    ...(sum('heldBack') > 0 ? [`${whole(sum('heldBack'))} were not sent: too many were unanswered`] : []),
    ...(sent < 0.98 * perSecond ? [`it sent ${whole(sent)} a second instead of ${whole(perSecond)}`] : []),
    ...(late > 1_000 ? [`it was late by up to ${whole(late)} ms`] : []),
  ];
}

function memoryOf(resident: readonly number[]) {
  const third = Math.floor(resident.length / 3);
  const at = [0.1, 0.5, 1].map(
    (share) => resident[Math.min(resident.length - 1, Math.floor(share * resident.length))]!,
  );
  const growth = median(resident.slice(-third)) / median(resident.slice(-2 * third, -third));
  return { at, highest: Math.max(...resident), growth, isFlat: Math.abs(growth - 1) <= FLAT_WITHIN };
}

function lowest(perSecond: readonly number[]): number {
  const width = Math.min(LOWEST_OVER_S, perSecond.length);
  const means = Array.from({ length: perSecond.length - width + 1 }, (_, from) => {
    return perSecond.slice(from, from + width).reduce((sum, one) => sum + one, 0) / width;
  });
  return Math.min(...means);
}

function mark(isReached: boolean): string {
  return isReached ? 'reached' : '**missed**';
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function mib(value: number): string {
  return `${whole(value)} MiB`;
}
