/** The ladder in a report: what each layer can do alone, where the time goes, and which one is the bottleneck. */
import { acrossOf, belowAxis, linear, roundTicks } from '../html/chart.ts';
import { html, type Markup, scrolled } from '../html/markup.ts';
import { type Frame, round, svg } from '../html/picture.ts';
import { plural } from '../html/words.ts';
import type { Bottleneck, LadderResult, Layer, StackStep } from '../ladder/result.ts';
import { resourcePictures } from './report-resources.ts';
import { figureText, latencyText, latencyTick, rateText } from './report-words.ts';

export const BOTTLENECK_WORDS: Readonly<Record<Bottleneck, string>> = {
  balancer: 'the balancer',
  service_cpu: 'the processor time of the service',
  cpu_starved: 'processors that all processes share',
  pool: 'the pool of connections to MongoDB',
  disk: 'the disk',
  database_cpu: 'the processor time of MongoDB',
  admission: 'the limit of calls that are let in',
  generator: 'the generator of the load, and not what it tested',
  unclear: 'not clear',
};

export const LAYER_WORDS: Readonly<Record<Layer, string>> = {
  socket: 'Sockets',
  balancer: 'Balancer',
  http: 'HTTP',
  validation: 'Validation',
  engine: 'Engine',
  database: 'Database',
  all: 'All together',
};

/** `The bottleneck is the disk (mongod primary)` */
export function ladderVerdict({ findings }: LadderResult): string {
  const [first] = findings;
  if (first === undefined || first.bottleneck === 'unclear') return 'Which layer is the bottleneck is not clear';
  return `The bottleneck is ${BOTTLENECK_WORDS[first.bottleneck]} (${first.where})`;
}

export function ladderSections(ladder: LadderResult): Markup {
  const { layers, stack, fixedRate, concurrency, resources } = ladder;
  const seconds = resources.reduce((end, { points }) => Math.max(end, points.at(-1)?.[0] ?? 0), 1);
  return html`<section id="ladder" aria-labelledby="ladder-title"><h2 id="ladder-title">The ladder: which layer limits the rest</h2>
${findingsOf(ladder)}
<div class="pictures">
<figure class="wide"><figcaption><b>What each layer can do alone</b><span>Calls a second at most, with ${plural(concurrency, 'call')} at the same time; the bar is the median of rounds, each small line a round.</span></figcaption>
${layers.length === 0 ? html`<p>No layer was measured.</p>` : scrolled('What each layer can do alone', layerBars(ladder))}</figure>
<figure class="wide"><figcaption><b>Where the time of a call goes</b><span>Layer upon layer, median at ${rateText(fixedRate)}.</span></figcaption>
${stack.length === 0 ? html`<p>It was not measured.</p>` : html`${scrolled('Where the time of a call goes', stackBar(stack))}${stackTable(stack)}`}</figure>
</div>
<h3>Latency of layers at ${rateText(fixedRate)}</h3>
${layerTable(ladder)}
</section>
<section id="ladder-resources" aria-labelledby="ladder-resources-title"><h2 id="ladder-resources-title">Resources while all of it was saturated</h2>
${resourcePictures('ladder-resource', resources, seconds)}</section>
`;
}

function findingsOf({ findings }: LadderResult): Markup[] {
  return findings.map(
    ({ bottleneck, where, score, because, remedy }, at) =>
      html`<div class="finding${at === 0 && ' first'}"><h3>${at === 0 ? 'Verdict' : 'Less likely'}: ${BOTTLENECK_WORDS[bottleneck]} <span class="soft">(${where}; ${figureText(score)} of 1)</span></h3><ul>${because.map((sentence) => html`<li>${sentence}</li>`)}</ul><p><b>What to do:</b> ${remedy}</p></div>
`,
  );
}

const ROW = 34;
/** What there is room for beside the bars. */
const NAME_MAX = 40;

function layerBars({ layers }: LadderResult): Markup {
  const frame: Frame = { width: 1080, height: layers.length * ROW + 54, left: 290, right: 110, top: 8, bottom: 46 };
  const most = Math.max(...layers.flatMap(({ perSecond, rounds }) => [perSecond, ...rounds]));
  const ticks = roundTicks(most);
  const x = linear(0, ticks.at(-1)!, ...acrossOf(frame));
  const base = frame.height - frame.bottom;
  const rows = layers.map(({ layer, name, perSecond, rounds }, at) => {
    const y = frame.top + at * ROW;
    const marks = rounds.map(
      (one) => html`<line class="whisker" x1="${round(x(one))}" x2="${round(x(one))}" y1="${y + 5}" y2="${y + 27}"/>`,
    );
    const end = x(Math.max(perSecond, ...rounds));
    return html`<text text-anchor="end" x="${frame.left - 10}" y="${y + 20}">${layerName(layer, name)}</text><rect class="${layer === 'all' ? 'f1' : 'plain'}" x="${frame.left}" y="${y + 7}" width="${round(Math.max(1, x(perSecond) - frame.left))}" height="18"/>${marks}<text x="${round(end + 8)}" y="${y + 20}">${figureText(perSecond)}</text>`;
  });
  const desc = `${layers.map(({ layer, name, perSecond }) => `${layerName(layer, name)} ${figureText(perSecond)}`).join(', ')} a second.`;
  return svg(frame, 'layers', 'Calls a second that each layer can do alone', desc, [
    ...ticks.map(
      (tick) => html`<line class="grid" x1="${round(x(tick))}" x2="${round(x(tick))}" y1="${frame.top}" y2="${base}"/>`,
    ),
    ...rows,
    belowAxis(
      frame,
      x,
      ticks.map((tick) => [tick, figureText(tick)]),
      'calls a second',
    ),
  ]);
}

function layerName(layer: Layer, name: string): string {
  if (name === '') return LAYER_WORDS[layer];
  return name.length <= NAME_MAX ? name : `${name.slice(0, NAME_MAX - 1)}…`;
}

/** A letter stands in each part, and in the table below: the parts are often too small for names. */
function stackBar(stack: readonly StackStep[]): Markup {
  const frame: Frame = { width: 1080, height: 106, left: 24, right: 24, top: 8, bottom: 46 };
  const total = stack.reduce((sum, { addedMs }) => sum + addedMs, 0);
  const ticks = roundTicks(total);
  const x = linear(0, ticks.at(-1)!, ...acrossOf(frame));
  let done = 0;
  const parts = stack.map(({ name, addedMs }, at) => {
    const [from, to] = [x(done), x(done + addedMs)];
    done += addedMs;
    const label =
      to - from >= 14 && html`<text text-anchor="middle" x="${round((from + to) / 2)}" y="22">${letterOf(at)}</text>`;
    return html`<rect class="f${at % 5}" x="${round(from)}" y="28" width="${round(Math.max(0.5, to - from - 1))}" height="24"><title>${name}: ${latencyText(addedMs)}</title></rect>${label}`;
  });
  const desc = `${stack.map(({ name, addedMs }) => `${name} ${latencyText(addedMs)}`).join(', ')}.`;
  return svg(frame, 'stack', 'What each layer adds to the time of a call', desc, [
    ...parts,
    belowAxis(
      frame,
      x,
      ticks.map((tick) => [tick, latencyTick(tick)]),
      null,
    ),
  ]);
}

function letterOf(at: number): string {
  return at < 26 ? String.fromCharCode(65 + at) : String(at + 1);
}

function stackTable(stack: readonly StackStep[]): Markup {
  const total = stack.reduce((sum, { addedMs }) => sum + addedMs, 0);
  const rows = stack.map(({ name, addedMs, totalMs }, at) => {
    const share = total > 0 ? `${Math.round((addedMs / total) * 100)} %` : '–';
    return html`<tr><th scope="row">${letterOf(at)}. ${name}</th><td class="number">${latencyText(addedMs)}</td><td class="number">${share}</td><td class="number">${latencyText(totalMs)}</td></tr>
`;
  });
  return scrolled(
    'What each layer adds',
    html`<table><thead><tr><th scope="col">Layer</th><th scope="col" class="number">Adds</th><th scope="col" class="number">Share</th><th scope="col" class="number">Up to here</th></tr></thead><tbody>
${rows}</tbody></table>`,
  );
}

function layerTable({ layers }: LadderResult): Markup {
  const rows = layers.map(({ layer, name, latencyMs }) => {
    const cells = (['p50', 'p90', 'p99', 'p999', 'max'] as const).map(
      (figure) => html`<td class="number">${latencyText(latencyMs?.[figure] ?? null)}</td>`,
    );
    const figures = latencyMs === null ? html`<td colspan="5">could not keep up with this rate</td>` : cells;
    return html`<tr><th scope="row">${layerName(layer, name)}</th>${figures}</tr>
`;
  });
  const head = ['p50', 'p90', 'p99', 'p99.9', 'max'].map((name) => html`<th scope="col" class="number">${name}</th>`);
  return scrolled(
    'Latency of layers',
    html`<table><thead><tr><th scope="col">Layer</th>${head}</tr></thead><tbody>
${rows}</tbody></table>`,
  );
}
