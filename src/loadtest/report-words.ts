/** What reports of load tests call things. */
import { counted, grouped, plural, timeText } from '../html/words.ts';
import { type Counts, OUTCOMES, type Outcome } from './result.ts';
import type { Operation, Profile, Step } from './scenario.ts';

export const OUTCOME_WORDS: Readonly<Record<Outcome, { readonly name: string; readonly meaning: string }>> = {
  ok: { name: 'ok', meaning: 'done as asked' },
  declined: { name: 'declined', meaning: 'the ledger decided against it, as for want of funds; no error' },
  refused: { name: 'refused', meaning: 'turned away with 503 or 429; nothing was written' },
  failed: { name: 'failed', meaning: 'any other answer' },
  unknown: { name: 'unknown', meaning: 'no answer in time, or the connection ended' },
  held_back: { name: 'held back', meaning: 'not sent, as too many were unanswered' },
};

export const ERROR_OUTCOMES = ['refused', 'failed', 'unknown', 'held_back'] as const satisfies readonly Outcome[];

export const OPERATION_WORDS: Readonly<Record<Operation, string>> = {
  open_wallet: 'Open a wallet',
  top_up: 'Top up',
  buy: 'Buy',
  queue_buy: 'Buy, by the queue',
  authorize: 'Authorize',
  capture: 'Capture',
  check_balance: 'Check the balance',
  list_payments: 'List payments',
  refund: 'Refund',
};

export function totalOf(counts: Counts): number {
  return OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
}

export function errorsOf(counts: Counts): number {
  return ERROR_OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
}

/** Three digits that count, and no more: `0.123`, `12.3`, `1,230`. */
export function figureText(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 999.5) return grouped(String(Math.round(value)));
  return String(Number(value.toPrecision(3)));
}

/** Always three digits, so that columns of them can be compared: `0.350 ms`, `12.3 ms`, `1.25 s`. */
export function latencyText(ms: number | null): string {
  if (ms === null) return '–';
  if (ms === 0) return '0 ms';
  const [value, unit] = ms >= 999.5 ? [ms / 1_000, 's'] : [ms, 'ms'];
  if (value >= 99.95) return `${figureText(value)} ${unit}`;
  return `${value < 0.1 ? value.toFixed(3) : value.toPrecision(3)} ${unit}`;
}

/** As short as it can be, for axes: `0.5 ms`, `10 ms`, `2 s`. */
export function latencyTick(ms: number): string {
  return ms >= 1_000 ? `${figureText(ms / 1_000)} s` : `${figureText(ms)} ms`;
}

/** `1,204 a second` */
export function rateText(perSecond: number): string {
  return `${figureText(perSecond)} a second`;
}

/** `0.013 %`; never 0 % where there is something, nor 100 % where something is missing. */
export function shareText(share: number): string {
  if (share > 0.999 && share < 1) return `${Math.min(99.99, Math.floor(share * 1e4) / 100)} %`;
  if (share > 0 && share < 1e-5) return 'below 0.001 %';
  return `${Number((share * 100).toPrecision(2))} %`;
}

/** `45 s`, `5 min`, `1 h 30 min` */
export function lengthText(seconds: number): string {
  if (seconds < 120) return `${figureText(seconds)} s`;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  const rest = Math.round(seconds % 60);
  return [hours > 0 && `${hours} h`, minutes > 0 && `${minutes} min`, rest > 0 && `${rest} s`]
    .filter(Boolean)
    .join(' ');
}

/** `1.23×` as `+23 %`; a percentile that fell to half as `−50 %`. */
export function ratioText(ratio: number): string {
  const percent = (ratio - 1) * 100;
  if (ratio >= 3) return `${figureText(ratio)} times`;
  return `${signOf(percent)}${Math.abs(percent).toFixed(Math.abs(percent) < 9.95 ? 1 : 0)} %`;
}

/** Of shares: `+0.35 points`, in hundredths. */
export function pointsText(difference: number): string {
  const points = difference * 100;
  return `${signOf(points)}${figureText(Math.abs(points))} points`;
}

function signOf(value: number): string {
  return value > 0 ? '+' : value < 0 ? '−' : '±';
}

/** `p < 0.001`, `p = 0.034` */
export function chanceText(pValue: number | null): string {
  if (pValue === null) return '–';
  return pValue < 0.001 ? 'p < 0.001' : `p = ${pValue.toFixed(3)}`;
}

export function profileWords(profile: Profile): string {
  switch (profile.kind) {
    case 'constant':
      return `${figureText(profile.perSecond)} journeys a second for ${lengthText(profile.seconds)}`;
    case 'ramp':
      return `from ${figureText(profile.from)} to ${figureText(profile.to)} journeys a second within ${lengthText(profile.seconds)}`;
    case 'steps':
      return `${plural(profile.steps.length, 'step')}: ${profile.steps
        .slice(0, 12)
        .map(({ perSecond, seconds }) => `${figureText(perSecond)} a second for ${lengthText(seconds)}`)
        .join(', ')}${profile.steps.length > 12 ? ', …' : ''}`;
    case 'spike':
      return `${figureText(profile.base)} journeys a second, then up to ${figureText(profile.peak)} within ${lengthText(profile.rise)}, which holds for ${lengthText(profile.hold)}, and back`;
    case 'recorded':
      return `${plural(profile.rates.length, 'recorded rate')} up to ${figureText(Math.max(...profile.rates))} journeys a second, played back within ${lengthText(profile.seconds)}`;
    case 'closed':
      return `${plural(profile.users, 'user')}, each of whom begins anew when done, for ${lengthText(profile.seconds)}`;
    default:
      return profile satisfies never;
  }
}

export function stepWords(step: Step): string {
  switch (step.do) {
    case 'think':
      return `wait ${lengthText(step.seconds)}`;
    case 'buy':
      return step.via === 'queue' ? 'buy, by the queue' : 'buy';
    default:
      return step.do.replaceAll('_', ' ');
  }
}

/** `2026-11-28 13:30 UTC`; what is no time, as it is. */
export function whenText(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : timeText(date);
}

/** `12 journeys`, with what became of them. */
export function journeysText({ begun, ended, brokenOff }: { begun: number; ended: number; brokenOff: number }): string {
  const open = begun - ended - brokenOff;
  const parts = [`${counted(ended)} ended`, `${counted(brokenOff)} were broken off`];
  if (open > 0) parts.push(`${counted(open)} were not over`);
  return `${plural(begun, 'journey')} begun: ${parts.join(', ')}`;
}
