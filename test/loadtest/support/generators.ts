/** Generators in this process, and all that they tell. */
import { Generator } from '../../../src/loadtest/generator.ts';
import type { Ended, FromGenerator, GeneratorPlan } from '../../../src/loadtest/messages.ts';
import { addUp, Tally } from '../../../src/loadtest/tally.ts';
import { scenarioOf } from './scenario-of.ts';

export type PlanChanges = Partial<Omit<GeneratorPlan, 'scenario'>> & { scenario?: Parameters<typeof scenarioOf>[0] };

export function planOf(address: string, { scenario, ...changed }: PlanChanges = {}): GeneratorPlan {
  return {
    ...{
      run: 'test',
      scenario: scenarioOf(scenario),
      seed: 1,
      index: 0,
      of: 1,
      addresses: [address],
      apiKey: 'secret',
    },
    ...{ queue: null, outstandingMax: 500, timeoutMs: 20_000, drainMs: 20_000, settleMs: 10_000 },
    startAt: Date.now() + 50,
    ...changed,
  };
}

export interface Carried extends ReturnType<typeof addUp> {
  readonly tally: Tally;
  readonly ended: readonly Ended[];
}

/** Carries plans out at the same time. `started` is given the generators. */
export async function carryOut(
  plans: readonly GeneratorPlan[],
  started: (generators: readonly Generator[]) => void = () => undefined,
): Promise<Carried> {
  const tally = new Tally();
  const generators = plans.map(
    (plan) =>
      new Generator(plan, (message: FromGenerator) => {
        if ('piece' in message) tally.add(plan.index, message.piece);
      }),
  );
  const running = Promise.all(generators.map((generator) => generator.run()));
  started(generators);
  const ended = await running;
  return { tally, ended, ...addUp(ended) };
}
