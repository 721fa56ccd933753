/** What stands in a specification for what is known on its host only. */
import type { RunPlan } from './run.ts';
import type { ProcessSpec } from './spec.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** One more `$` before it, and it stands for itself. */
const NAMED = /\$?\$\{([^}]*)\}/g;

export interface Values {
  readonly coordinate: string;
  readonly host: string;
  readonly zookeeper: string;
  /** Folder of the unpacked artifact. */
  readonly artifact: string;
  /** Folder that outlives its runs. */
  readonly work: string;
  readonly ports: Readonly<Record<string, number>>;
}

/** It cannot be started on this host, however often it is tried. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** @throws Refusal for a name that is not known */
export function render(text: string, values: Values): string {
  return text.replace(NAMED, (found, name: string) => (found.startsWith('$$') ? found.slice(1) : lookUp(name, values)));
}

/** @throws Refusal */
export function renderAll(texts: readonly string[], values: Values): string[] {
  return texts.map((text) => render(text, values));
}

/** All of its environment: the agent's own, which may hold secrets, is no part of it. @throws Refusal */
export function environment(spec: ProcessSpec, values: Values): Record<string, string> {
  const given = Object.entries(spec.env).map(([name, text]) => [name, render(text, values)]);
  const ports = Object.entries(values.ports).map(([name, port]) => [`PORT_${name.toUpperCase()}`, String(port)]);
  return {
    ...{ PATH, LANG: 'C.UTF-8', HOME: values.work },
    ...Object.fromEntries(given),
    ...{ COORDINATE: values.coordinate, ...Object.fromEntries(ports) },
  };
}

/** Everything that is rendered before a start or later, tried with what is known already. @throws Refusal */
export function checkTemplates(spec: ProcessSpec): void {
  const ports = Object.fromEntries(Object.keys(spec.ports).map((name) => [name, 0]));
  const values: Values = { coordinate: spec.coordinate, host: '', zookeeper: '', artifact: '', work: '', ports };
  const commands = [spec.command, spec.before, spec.after, spec.health?.command];
  for (const command of commands) renderAll(command ?? [], values);
  environment(spec, values);
  const asked = spec.health?.port;
  if (asked !== undefined && !Object.hasOwn(spec.ports, asked)) {
    throw new Refusal(`its health is asked at port "${asked}", which it does not have: name it in "ports"`);
  }
}

/** Of a run, also of one that an agent before this one began. */
export function valuesOf(plan: RunPlan, work: string, { host, zookeeper }: Pick<Values, 'host' | 'zookeeper'>): Values {
  return { coordinate: plan.coordinate, host, zookeeper, artifact: plan.cwd, work, ports: plan.ports };
}

function lookUp(name: string, values: Values): string {
  const { coordinate, host, zookeeper, artifact, work, ports } = values;
  const known: Record<string, string> = { coordinate, host, zookeeper, artifact, work };
  known.instance = coordinate.split('.')[0]!;
  for (const [port, number] of Object.entries(ports)) known[`port.${port}`] = String(number);
  if (Object.hasOwn(known, name)) return known[name]!;
  const names = Object.keys(known).map((each) => `\${${each}}`);
  throw new Refusal(`"\${${name}}" is not known: there are ${names.join(', ')}; write "$\${" for what is no name`);
}
