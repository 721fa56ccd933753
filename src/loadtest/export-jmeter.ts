/**
 * A scenario as a plan for JMeter 2.13 and newer, and a table beside it: a line for each user, with when the user arrives,
 * what the user does, and all that is left to chance.
 */

import { zipfWeights } from './choice.ts';
import type { ExportedFile } from './export.ts';
import { chooser, drawAmount, drawThink, exponential } from './export-draws.ts';
import { type Cell, columnsOf, journeyTree, type Where } from './export-jmeter-journeys.ts';
import {
  bool,
  comment,
  element,
  filled,
  headers,
  integer,
  type Node,
  pause,
  string,
  tree,
} from './export-jmeter-xml.ts';
import { apiCalls, atOnce, DECLINED, ExportError, fileName, heading, type Plan } from './export-plan.ts';
import { type RandomShare, seeded } from './random.ts';
import { arrivalsOf, arrivalTimes, segmentsOf } from './segments.ts';

/** Of a plan with rates, which has a line for each user. */
const LINES_MAX = 2_000_000;
/** A closed profile has no number of users to come: after these it begins anew. */
const LINES_CLOSED = 50_000;
/** For all threads to have started before the first user arrives. */
const START_MS = 3_000;
/** Milliseconds until the user of a line arrives, as an expression. */
const LEFT_MS = `${filled('__P(TESTSTART.MS)')} + ${START_MS} + ${filled('due')} - ${filled('__time')}`;

/** Throws an {@link ExportError} when more users arrive than there can be lines. */
export function toJMeter(plan: Plan): ExportedFile[] {
  const table = fileName(plan, 'csv');
  const columns = Math.max(...plan.scenario.journeys.map(({ steps }) => columnsOf(steps).length));
  const text = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    comment(heading(plan, 'JMeter', [commandOf(plan)], limitsOf(plan, table))),
    ...tree(planNode(plan, table, columns)),
  ];
  const name = fileName(plan, 'jmx');
  return [
    { name, text: `${text.join('\n')}\n` },
    { name: table, text: `${[...lines(plan, columns)].join('\n')}\n` },
  ];
}

function commandOf(plan: Plan): string {
  // Versions from 4.0 to 5.1 would open a connection for each user.
  const keep = '-Jhttpclient.reset_state_on_thread_group_iteration=false';
  return `jmeter -n -t ${fileName(plan, 'jmx')} -l ${fileName(plan, 'jtl')} -Jkey=... ${keep}`;
}

function limitsOf(plan: Plan, table: string): string[] {
  const users =
    plan.scenario.profile.kind === 'closed'
      ? `The values of ${table} begin anew after ${LINES_CLOSED} journeys.`
      : `Users arrive when ${table} says, and late when all threads are busy.`;
  return [apiCalls(plan), DECLINED, users, `${table} must lie beside the plan. Tests on several machines repeat it.`];
}

function planNode(plan: Plan, table: string, columns: number): Node {
  return element(
    'TestPlan',
    'TestPlanGui',
    `Kvitt: ${plan.scenario.name}`,
    [bool('TestPlan.functional_mode', false)],
    [
      headers('Headers', { authorization: `Bearer ${filled('__P(key)')}`, 'content-type': 'application/json' }),
      usersNode(plan, table, columns),
    ],
  );
}

function usersNode(plan: Plan, table: string, columns: number): Node {
  const { profile, journeys } = plan.scenario;
  const isClosed = profile.kind === 'closed';
  const where: Where = { target: new URL(plan.target), run: plan.run, currency: plan.scenario.currency };
  const loop = `<elementProp name="ThreadGroup.main_controller" elementType="LoopController">${bool('LoopController.continue_forever', false)}${integer('LoopController.loops', -1)}</elementProp>`;
  const properties = [
    string('ThreadGroup.on_sample_error', 'startnextloop'),
    loop,
    string('ThreadGroup.num_threads', String(atOnce(plan, true))),
    string('ThreadGroup.ramp_time', '0'),
    bool('ThreadGroup.scheduler', isClosed),
    string('ThreadGroup.duration', isClosed ? String(Math.ceil(profile.seconds)) : ''),
    string('ThreadGroup.delay', ''),
    bool('ThreadGroup.same_user_on_next_iteration', true),
  ];
  const arrival = pause('Until the user arrives', filled(`__jexl2(${LEFT_MS} > 0 ? ${LEFT_MS} : 0)`));
  const choice = element(
    'SwitchController',
    'SwitchControllerGui',
    'Journey',
    [string('SwitchController.value', filled('journey'))],
    journeys.map((journey) => journeyTree(journey, where)),
  );
  return element('ThreadGroup', 'ThreadGroupGui', 'Users', properties, [
    tableNode(table, columns, isClosed),
    counterNode(),
    ...(isClosed ? [] : [arrival]),
    choice,
  ]);
}

function tableNode(table: string, columns: number, isClosed: boolean): Node {
  const drawn = Array.from({ length: columns }, (_, index) => `v${index}`);
  return element('CSVDataSet', 'TestBeanGUI', 'Users who arrive', [
    string('delimiter', ','),
    string('fileEncoding', 'UTF-8'),
    string('filename', table),
    bool('quotedData', false),
    bool('ignoreFirstLine', false),
    bool('recycle', isClosed),
    bool('stopThread', !isClosed),
    string('shareMode', 'shareMode.all'),
    string('variableNames', ['due', 'journey', 'wallet', ...drawn].join(',')),
  ]);
}

/** A number of its own for each user, for idempotency keys. */
function counterNode(): Node {
  return element('CounterConfig', 'CounterConfigGui', 'Number of the user', [
    string('CounterConfig.start', '1'),
    string('CounterConfig.end', ''),
    string('CounterConfig.incr', '1'),
    string('CounterConfig.name', 'user'),
    string('CounterConfig.format', ''),
    bool('CounterConfig.per_user', false),
  ]);
}

/** A line for each user: milliseconds until the user arrives, number of the journey, wallet, and what its steps need. */
function* lines(plan: Plan, columns: number): Generator<string> {
  const { journeys, population } = plan.scenario;
  const random = seeded(plan.seed);
  const journey = chooser(journeys.map(({ weight }) => weight));
  const merchant = chooser(zipfWeights(population.merchants, population.merchantSkew));
  const cells = journeys.map(({ steps }) => columnsOf(steps));
  for (const due of arrivals(plan, random)) {
    const chosen = journey(random);
    const wallet = Math.floor(random() * population.wallets);
    const drawn = cells[chosen]!.map((cell) => draw(cell, merchant, random));
    const padding = Array.from({ length: columns - drawn.length }, () => 0);
    yield [Math.round(due * 1_000), chosen, wallet, ...drawn, ...padding].join(',');
  }
}

function arrivals({ scenario: { profile, arrivals: kind } }: Plan, random: RandomShare): Iterable<number> {
  if (profile.kind === 'closed') return new Array<number>(LINES_CLOSED).fill(0);
  const segments = segmentsOf(profile);
  const expected = Math.round(arrivalsOf(segments));
  if (expected > LINES_MAX) {
    throw new ExportError(`JMeter would need a table of ${expected} users, and at most ${LINES_MAX} are written`);
  }
  const distance = kind === 'poisson' ? () => exponential(random) : () => 1;
  return arrivalTimes(segments, kind === 'poisson' ? distance() : 0, distance);
}

function draw(cell: Cell, merchant: (random: RandomShare) => number, random: RandomShare): number {
  if (cell.kind === 'merchant') return merchant(random);
  const { step } = cell;
  return step.do === 'think' ? Math.round(drawThink(step, random) * 1_000) : drawAmount(step.amount, random);
}
