/** Writes a scenario for other tools, so that one can be checked with another. */
import { toJMeter } from './export-jmeter.ts';
import { toK6 } from './export-k6.ts';
import { ExportError, type Plan } from './export-plan.ts';
import { toWrk } from './export-wrk.ts';
import { scaleOpen } from './profile.ts';
import { operationOf, type Scenario, scenarioSchema } from './scenario.ts';

export const EXPORT_TOOLS = ['k6', 'jmeter', 'wrk'] as const;
export type ExportTool = (typeof EXPORT_TOOLS)[number];

export interface ExportOptions {
  /** An HTTP address, such as `http://127.0.0.1:8080`. */
  readonly target: string;
  /** The id under which the accounts were prepared: 1 to 64 letters, digits or any of `_ . -`. */
  readonly run: string;
  readonly seed: number;
  /** How many calls may be unanswered at once: connections, threads or virtual users. By the rate unless given. */
  readonly connections?: number;
  /** Leaves out the journeys that send to the queue, which no other tool can; their users do not arrive at all. */
  readonly withoutQueue?: boolean;
}

export interface ExportedFile {
  readonly name: string;
  readonly text: string;
}

const WRITERS: Record<ExportTool, (plan: Plan) => ExportedFile[]> = { k6: toK6, jmeter: toJMeter, wrk: toWrk };
const RUN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/**
 * The files belong into one folder; the first of them is what the tool is given. None holds an API key: each says at its
 * top how the tool is told. Throws an {@link ExportError} when the tool cannot do what the scenario says.
 */
export function exportScenario(scenario: Scenario, tool: ExportTool, options: ExportOptions): ExportedFile[] {
  if (!RUN.test(options.run)) throw new ExportError('the run must be 1 to 64 letters, digits or any of _ . -');
  const { connections } = options;
  if (connections !== undefined && !(Number.isSafeInteger(connections) && connections > 0)) {
    throw new ExportError('connections must be a whole number above 0');
  }
  const checked = scenarioSchema.parse(scenario);
  const { kept, leftOut } = withoutQueue(checked, tool, options.withoutQueue === true);
  return WRITERS[tool]({ ...options, scenario: kept, leftOut, target: originOf(options.target) });
}

function originOf(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : null;
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  if (!isOrigin) throw new ExportError('the target must be an address such as http://127.0.0.1:8080, and nothing more');
  return url.origin;
}

/**
 * The rate of the journeys that stay is what it was: it is cut by the share of those that are left out, so that what
 * is compared is the same.
 */
function withoutQueue(scenario: Scenario, tool: ExportTool, allowed: boolean): { kept: Scenario; leftOut: string[] } {
  const journeys = scenario.journeys.filter(({ name, steps }) => {
    const index = steps.findIndex((step) => operationOf(step) === 'queue_buy');
    if (index === -1) return true;
    if (allowed) return false;
    const where = `journey ${name}, step ${index + 1} (buy)`;
    throw new ExportError(`${tool} cannot send to a queue, as ${where} does; it can be written without such journeys`);
  });
  if (journeys.length === 0) throw new ExportError('every journey sends to the queue: nothing is left');
  const leftOut = scenario.journeys.filter((journey) => !journeys.includes(journey)).map(({ name }) => name);
  const share = weightOf(journeys) / weightOf(scenario.journeys);
  return { kept: { ...scenario, journeys, profile: scaled(scenario.profile, share) }, leftOut };
}

function weightOf(journeys: Scenario['journeys']): number {
  return journeys.reduce((sum, { weight }) => sum + weight, 0);
}

function scaled(profile: Scenario['profile'], share: number): Scenario['profile'] {
  if (share === 1) return profile;
  if (profile.kind === 'closed') return { ...profile, users: Math.max(1, Math.round(profile.users * share)) };
  return scaleOpen(profile, share, 1);
}
