/** What all writers of other tools' files share: the checked scenario, the text at the top, how much to allow at once. */

import type { Scenario } from './scenario.ts';
import { peakOf, segmentsOf } from './segments.ts';

const LINE_WIDTH = 110;
/** What a call is allowed to take before those that are due wait for a free connection, seconds. */
const ANSWER_SECONDS = 0.5;
const AT_ONCE_MIN = 16;
const AT_ONCE_MAX = 2_000;

/** The scenario cannot be written for that tool; the message says which part of it, and why. */
export class ExportError extends Error {
  override name = 'ExportError';
}

export interface Plan {
  /** Without journeys that send to the queue. */
  readonly scenario: Scenario;
  /** Names of the journeys that were. */
  readonly leftOut: readonly string[];
  readonly target: string;
  readonly run: string;
  readonly seed: number;
  readonly connections?: number;
}

/** By which all files of a scenario begin. */
export function fileName({ scenario, run }: Plan, extension: string): string {
  return `${scenario.name}-${run}.${extension}`;
}

/** Calls, or users that think, that are allowed at once. */
export function atOnce({ scenario, connections }: Plan, withThinking: boolean): number {
  if (scenario.profile.kind === 'closed') return scenario.profile.users;
  if (connections !== undefined) return connections;
  const peak = peakOf(segmentsOf(scenario.profile));
  const busy = scenario.journeys.map(({ weight, steps }) => {
    const thinks = steps.map((step) => (step.do === 'think' ? step.seconds : 0));
    const calls = steps.filter((step) => step.do !== 'think').length;
    return weight * (ANSWER_SECONDS * calls + (withThinking ? thinks.reduce((sum, mean) => sum + mean, 0) : 0));
  });
  const weight = scenario.journeys.reduce((sum, journey) => sum + journey.weight, 0);
  const needed = Math.ceil((peak * busy.reduce((sum, seconds) => sum + seconds, 0)) / weight);
  return Math.min(AT_ONCE_MAX, Math.max(AT_ONCE_MIN, needed));
}

/** Lines of a comment, without what begins or ends one in any of the tools' languages. */
export function heading(plan: Plan, tool: string, command: readonly string[], limits: readonly string[]): string[] {
  const { scenario, leftOut, run, target } = plan;
  const queue = `Left out, as they send to the queue: ${leftOut.join(', ')}; the rate is less by their share.`;
  const paragraphs = [
    `The load test ${scenario.name} of Kvitt, for ${tool}: ${scenario.description}`,
    `Against ${target}, with the accounts that were prepared before as ${run}. To run it:`,
  ];
  const rest = ['What differs from the original:', ...limits, ...(leftOut.length === 0 ? [] : [queue])];
  return [
    ...paragraphs.flatMap(wrapped),
    ...command.map((line) => `    ${line}`),
    ...rest.flatMap((text, index) => wrapped(index === 0 ? text : `- ${text}`)),
  ];
}

export function apiCalls(plan: Plan): string {
  return plan.scenario.profile.kind === 'closed'
    ? 'The model is closed: a user who waits for an answer sends nothing, so that latencies say little.'
    : 'Latency is told from when a call was sent, not from when it was due.';
}

/** What the other tools' sums of failures hold. */
export const DECLINED = 'What the ledger declines (422, no funds) counts as failed; Kvitt counts it apart.';

function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of harmless(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < LINE_WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** One line that ends no comment: neither of JavaScript nor of XML, and begins no long one of Lua. */
function harmless(text: string): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/\*(?=\/)/g, '* ')
    .replace(/-(?=-)/g, '- ')
    .replace(/\[(?=[[=])/g, '[ ')
    .trim();
}
