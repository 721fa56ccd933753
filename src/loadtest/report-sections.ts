/** Parts of the report of a run that are words and tables. */
import { html, type Markup, scrolled } from '../html/markup.ts';
import { counted, plural } from '../html/words.ts';
import { verdictOf } from './report-verdict.ts';
import {
  errorsOf,
  figureText,
  journeysText,
  latencyText,
  lengthText,
  OPERATION_WORDS,
  OUTCOME_WORDS,
  profileWords,
  shareText,
  stepWords,
  totalOf,
  whenText,
} from './report-words.ts';
import { type Counts, OUTCOMES, type Percentiles, type RunResult } from './result.ts';

const FAULTS_AT_TOP = 5;

/** The worst first; what is wrong with money is listed here already. */
export function verdictSection(run: RunResult): Markup {
  const { tone, word, sentences } = verdictOf(run);
  const faults = run.ledger.ok ? [] : run.ledger.faults.slice(0, FAULTS_AT_TOP);
  const left = run.ledger.faults.length - faults.length;
  return html`<div class="verdict ${tone}"${tone === 'bad' ? ALERT : null}><span class="mark" aria-hidden="true">${tone === 'good' ? '✓' : '✗'}</span><div><p><b>${word}.</b> ${sentences[0] ?? null}</p>
${faults.length > 0 && html`<ul>${faults.map((fault) => html`<li>${fault}</li>`)}${left > 0 && html`<li><a href="#ledger">${counted(left)} more</a></li>`}</ul>`}
${sentences.slice(1).map((sentence) => html`<p>${sentence}</p>`)}</div></div>
${tiles(run)}`;
}

const ALERT = html` role="alert"`;

function tiles(run: RunResult): Markup {
  const { latencyMs, errorShare, perSecond, counts, ledger, validity } = run;
  const [amount, unit] = [figureText(perSecond), 'a second'];
  const all: readonly (readonly [name: string, value: string, more: string, tone: string | null])[] = [
    ['Answered', amount, unit, null],
    ...(['p50', 'p99', 'p999'] as const).map((name) => {
      return [name === 'p999' ? 'p99.9' : name, latencyText(latencyMs?.[name] ?? null), '', null] as const;
    }),
    ['Errors', shareText(errorShare), counted(errorsOf(counts)), errorShare > 0 ? 'bad' : null],
    ['Ledger', ledger.ok ? 'right' : 'WRONG', '', ledger.ok ? 'good' : 'bad'],
    ['Numbers', validity.valid ? 'valid' : 'NOT VALID', '', validity.valid ? 'good' : 'bad'],
  ];
  return html`<dl class="tiles">${all.map(([name, value, more, tone]) => html`<div class="${tone}"><dt>${name}</dt><dd>${value}${more !== '' && html` <small>${more}</small>`}</dd></div>`)}</dl>
`;
}

export function subjectSection(run: RunResult): Markup {
  const { scenario, seed, target, machine, generators, startedAt, endedAt, id, label, seconds } = run;
  const { wallets, funds, merchants, merchantSkew } = scenario.population;
  const weights = scenario.journeys.reduce((sum, { weight }) => sum + weight, 0);
  const journeys = scenario.journeys.map(
    ({ name, weight, steps }) =>
      html`<tr><th scope="row">${name}</th><td class="number">${shareText(weight / weights)}</td><td>${steps.map(stepWords).join(', ')}</td></tr>
`,
  );
  const rows: readonly (readonly [string, Markup | string])[] = [
    ['Scenario', html`${scenario.name}<small>${scenario.description}</small>`],
    ['Load', html`${profileWords(scenario.profile)}<small>Arrivals ${ARRIVAL_WORDS[scenario.arrivals]}</small>`],
    ['Journeys', journeysText(run.journeys)],
    [
      'Population',
      `${plural(wallets, 'wallet')} of ${counted(funds)} minor units of ${scenario.currency} each, ${plural(merchants, 'merchant')}${merchantSkew > 0 ? `, chosen by Zipf’s law with exponent ${merchantSkew}` : ', all alike'}`,
    ],
    [
      'Target',
      html`${target.addresses.join(', ')}${target.queue !== null && html`<small>queue ${target.queue}</small>`}`,
    ],
    [
      'Machine',
      html`${plural(machine.cpus, 'processor')}, ${machine.model}, ${counted(machine.memoryMiB)} MiB<small>Kvitt ${machine.kvitt}, Node ${machine.node}</small>`,
    ],
    [
      'Generator',
      `${plural(generators.processes, 'process', 'processes')}, at most ${plural(generators.outstandingMax, 'call')} unanswered; calls were sent ${latencyText(run.lagMs.p50)} late in the median, ${latencyText(run.lagMs.p99)} at p99, ${latencyText(run.lagMs.max)} at most`,
    ],
    ['Time', html`${whenText(startedAt)} to ${whenText(endedAt)}<small>arrivals for ${lengthText(seconds)}</small>`],
    ['Run', html`<code>${id}</code>${label !== null && ` (${label})`}<small>seed ${seed}</small>`],
  ];
  return html`<section id="subject" aria-labelledby="subject-title"><h2 id="subject-title">What was run</h2>
<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
<h3>Journeys</h3>
${scrolled('Journeys', html`<table><thead><tr><th scope="col">Journey</th><th scope="col" class="number">Share</th><th scope="col">Steps</th></tr></thead><tbody>${journeys}</tbody></table>`)}</section>
`;
}

const ARRIVAL_WORDS = { poisson: 'by chance, as of independent users', paced: 'at equal distances' } as const;
const PERCENTILES = ['mean', 'p50', 'p90', 'p95', 'p99', 'p999', 'max'] as const;

const PERCENTILE_NAMES = ['mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'];

export function operationsTable(run: RunResult): Markup {
  const outcomes = OUTCOMES.filter((outcome) => run.counts[outcome] > 0 || outcome === 'ok');
  const row = (name: string, counts: Counts, latencyMs: Percentiles | null) => {
    const cells = [
      counted(totalOf(counts)),
      ...outcomes.map((outcome) => counted(counts[outcome])),
      ...PERCENTILES.map((percentile) => latencyText(latencyMs?.[percentile] ?? null)),
    ];
    return html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}</tr>
`;
  };
  const head = ['Calls', ...outcomes.map((outcome) => OUTCOME_WORDS[outcome].name), ...PERCENTILE_NAMES];
  const rows = run.operations.map(({ operation, counts, latencyMs }) =>
    row(OPERATION_WORDS[operation], counts, latencyMs),
  );
  return scrolled(
    'Operations',
    html`<table><thead><tr><th scope="col">Operation</th>${head.map((name) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead><tbody>
${rows}</tbody><tfoot>${row('All', run.counts, run.latencyMs)}</tfoot></table>`,
  );
}

export function ledgerSection({ ledger }: RunResult): Markup {
  const { ok, acknowledged, once, settled, unknown, accounts, entries, faults, queueMs, seconds } = ledger;
  const rows: readonly (readonly [string, string])[] = [
    ['Acknowledged', counted(acknowledged)],
    ['Found exactly once', counted(once)],
    ['Settled by asking again', counted(settled)],
    ['Never known', counted(unknown)],
    [
      'Looked through',
      `${plural(accounts, 'account')}, ${plural(entries, 'entry', 'entries')}, in ${lengthText(seconds)}`,
    ],
    [
      'From queue to posting',
      queueMs === null
        ? 'nothing went by the queue'
        : `p50 ${latencyText(queueMs.p50)}, p99 ${latencyText(queueMs.p99)}, at most ${latencyText(queueMs.max)}`,
    ],
  ];
  return html`<section id="ledger" aria-labelledby="ledger-title"><h2 id="ledger-title">The ledger afterwards: ${ok ? 'right' : 'WRONG'}</h2>
<p class="soft">After the run every money operation that was acknowledged was looked for in the ledger: nothing may be missing, nothing there twice, nothing there that was refused, and balances must agree.</p>
<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
${faults.length > 0 && html`<h3>What is wrong</h3><ul>${faults.map((fault) => html`<li>${fault}</li>`)}</ul>`}</section>
`;
}

export function examplesSection({ examples }: RunResult): Markup | null {
  if (examples.length === 0) return null;
  const rows = examples.map(
    ({ operation, outcome, answer }) =>
      html`<tr><td>${OPERATION_WORDS[operation]}</td><td>${OUTCOME_WORDS[outcome].name}</td><td><code class="answer">${answer}</code></td></tr>
`,
  );
  return html`<section id="examples" aria-labelledby="examples-title"><h2 id="examples-title">Answers that were no success</h2>
<p class="soft">A few of each kind.</p>
${scrolled('Answers that were no success', html`<table><thead><tr><th scope="col">Call</th><th scope="col">Outcome</th><th scope="col">Answer</th></tr></thead><tbody>${rows}</tbody></table>`)}</section>
`;
}
