import { cloudnameTargets, type Targets } from '../../../src/client/targets.ts';
import type { Cloudname } from '../../../src/cloudname/cloudname.ts';
import type { Command } from '../../../src/ledger/types.ts';
import { balanceOverHttp, tellOverHttp } from '../../faults/support/http-taker.ts';
import type { BalanceTold, Taker } from '../../faults/support/takers.ts';
import { Api } from '../../service/support/api.ts';
import type { Told } from '../../simulation/check-journal.ts';

/** Sends each call to one of the instances that Cloudname names at that moment, once: no failure is hidden by another try. */
export class ResolvedTaker implements Taker {
  /** What became of calls that were not carried out, and where they were sent. */
  readonly failures: string[] = [];
  answered = 0;
  readonly #targets: Targets;
  readonly #key: string;

  constructor(cloudname: Cloudname, service: string, key: string) {
    this.#targets = cloudnameTargets(cloudname, service);
    this.#key = key;
  }

  async tell(command: Command): Promise<Told> {
    const target = await this.#targets.next().catch(() => null);
    if (target === null) return this.#failed('nowhere', { key: `bootstrap/${command.key}`, answer: 'nothing written' });
    const told = await tellOverHttp(new Api(target, this.#key), command);
    if (told.answer === 'posted' || told.answer === 'rejected') {
      this.answered++;
      return told;
    }
    this.#targets.failed(target);
    return this.#failed(target, told);
  }

  readonly balance = async (account: string): Promise<BalanceTold> => {
    const target = await this.#targets.next();
    if (target === null) throw new Error('nobody serves');
    return balanceOverHttp(new Api(target, this.#key), account);
  };

  readonly stats = () => ({ answered: this.answered, failures: this.failures.slice(-5) });

  async stop(): Promise<void> {}

  #failed(target: string, told: Told): Told {
    this.failures.push(`${target}: ${told.answer}`);
    return told;
  }
}
