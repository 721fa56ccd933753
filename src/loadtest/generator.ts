/**
 * Sends the load of one process: users begin their journeys when they are due, whatever became of those before. What a
 * call took is counted from when it was due, so that a service that stalls cannot hide it.
 */
import { setImmediate as othersFirst, setTimeout as sleep } from 'node:timers/promises';
import { CallLog, tailOf } from './call-log.ts';
import { WeightedChoice, zipfWeights } from './choice.ts';
import { HttpSender } from './http-sender.ts';
import type { Ended, FromGenerator, GeneratorPlan } from './messages.ts';
import { type Told, told } from './outcome.ts';
import { arrivalsOf, secondsOf } from './profile.ts';
import { QueueSender } from './queue-sender.ts';
import { Random } from './random.ts';
import { Recorder } from './recorder.ts';
import type { Operation, Scenario } from './scenario.ts';
import type { OpenProfile } from './segments.ts';
import { Settling } from './settling.ts';
import { type ReadyCall, User } from './user.ts';

/** Journeys are begun when their time has come, to the nearest of these. */
const TICK_MS = 1;
/** A generator that is behind lets answers in after so long. */
const BURST_MS = 5;
const TELL_MS = 1_000;
const WAIT_MS = 20;
const TURNED_AWAY_MS = 100;
const GRACE_MS = 5_000;
const MOVES_MONEY: readonly Operation[] = ['top_up', 'buy', 'queue_buy', 'capture', 'refund'];

type Journey = Scenario['journeys'][number];

/** Ms since the epoch, to the microsecond, the same for all processes of a machine. */
function clock(): number {
  return performance.timeOrigin + performance.now();
}

export class Generator {
  readonly #plan: GeneratorPlan;
  readonly #tell: (message: FromGenerator) => void;
  readonly #random: Random;
  readonly #http: HttpSender;
  readonly #queue: QueueSender | null;
  readonly #recorder = new Recorder();
  readonly #log = new CallLog();
  readonly #choice: WeightedChoice;
  readonly #unknown: ReadyCall[] = [];
  readonly #dueAt = new Map<number, number>();
  readonly #world: ConstructorParameters<typeof User>[0];
  #calls = 0;
  #wallets = 0;
  #outstanding = 0;
  #underWay = 0;
  #begun = 0;
  #ended = 0;
  #isStopped = false;
  #told = { at: 0, cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };

  constructor(plan: GeneratorPlan, tell: (message: FromGenerator) => void) {
    const { scenario, index, of, run, outstandingMax: connectionsMax, timeoutMs } = plan;
    this.#plan = plan;
    this.#tell = tell;
    this.#random = new Random(plan.seed, index);
    this.#http = new HttpSender({ addresses: plan.addresses, apiKey: plan.apiKey, connectionsMax, timeoutMs });
    this.#queue = plan.queue && new QueueSender(plan.queue, { connectionsMax, timeoutMs });
    this.#choice = new WeightedChoice(scenario.journeys.map(({ weight }) => weight));
    const { wallets, merchants, merchantSkew } = scenario.population;
    this.#world = {
      run,
      currency: scenario.currency,
      merchants: new WeightedChoice(zipfWeights(merchants, merchantSkew)),
      random: this.#random,
      nextCall: () => this.#calls++ * of + index,
      newWallet: () => wallets + this.#wallets++ * of + index,
    };
  }

  /** Begins at the time of the plan, and resolves when all that was sent is answered for. */
  async run(): Promise<Ended> {
    const { profile } = this.#plan.scenario;
    await sleep(Math.max(0, this.#plan.startAt - clock()));
    this.#told = { at: clock(), cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };
    const telling = setInterval(() => this.#tellPiece(), TELL_MS);
    try {
      await (profile.kind === 'closed' ? this.#keepBusy(profile.users) : this.#arrive(profile));
      await this.#drain();
      const settled = await this.#settle();
      this.#tellPiece();
      const journeys = { begun: this.#begun, ended: this.#ended, brokenOff: this.#begun - this.#ended };
      return { operations: this.#recorder.operations(), examples: this.#recorder.examples(), journeys, settled };
    } finally {
      clearInterval(telling);
      this.#queue?.close();
      await this.#http.close();
    }
  }

  /** No journey goes on; what was sent is still waited for. */
  stop(): void {
    this.#isStopped = true;
  }

  async #arrive(profile: OpenProfile): Promise<void> {
    const { startAt, index, of, scenario, seed } = this.#plan;
    const { arrivals } = scenario;
    const times = arrivalsOf({ profile, arrivals }, { index, of }, new Random(seed + 1, index));
    let busySince = clock();
    for (let next = times.next(); !next.done && !this.#isStopped; next = times.next()) {
      const due = startAt + 1000 * next.value;
      for (let now = clock(); (now < due || now > busySince + BURST_MS) && !this.#isStopped; now = clock()) {
        await (now < due ? sleep(TICK_MS) : othersFirst());
        busySince = clock();
      }
      if (!this.#isStopped) this.#begin(due, () => undefined);
    }
    await this.#until(startAt + 1000 * secondsOf(profile));
  }

  /** So many users of all generators, each of whom begins anew when done. */
  async #keepBusy(users: number): Promise<void> {
    const { startAt, index, of, scenario } = this.#plan;
    const until = startAt + 1000 * secondsOf(scenario.profile);
    const again = (isWhole: boolean) => {
      const begin = () => {
        if (clock() < until && !this.#isStopped) this.#begin(clock(), again);
      };
      // Whoever is turned away at once would else come back at once, for ever, without anything else.
      if (isWhole) setImmediate(begin);
      else setTimeout(begin, TURNED_AWAY_MS);
    };
    for (let user = index; user < users; user += of) this.#begin(startAt, again);
    await this.#until(until);
  }

  async #until(time: number): Promise<void> {
    while (clock() < time && !this.#isStopped) await sleep(Math.min(WAIT_MS, Math.max(1, time - clock())));
  }

  async #drain(): Promise<void> {
    const until = clock() + this.#plan.drainMs;
    this.#tell({ phase: 'draining', left: this.#underWay });
    while (this.#underWay > 0 && clock() < until && !this.#isStopped) await sleep(WAIT_MS);
    this.#isStopped = true;
    const last = clock() + 2 * this.#plan.timeoutMs + GRACE_MS;
    while (this.#outstanding > 0 && clock() < last) await sleep(WAIT_MS);
    if (this.#outstanding > 0) throw new Error(`${this.#outstanding} calls were neither answered nor timed out`);
  }

  /** Asks again for what nobody knows, with the same keys. */
  async #settle(): Promise<number> {
    if (this.#unknown.length === 0) return 0;
    this.#tell({ phase: 'settling', left: this.#unknown.length });
    const settling = new Settling((call) => this.#send(call), this.#plan.settleMs);
    let settled = 0;
    await settling.run(this.#unknown, (call, { outcome, body }) => {
      settled++;
      this.#keep(call, outcome, body, this.#dueAt.get(call.call)!);
    });
    return settled;
  }

  #begin(due: number, ended: (isWhole: boolean) => void): void {
    const { scenario } = this.#plan;
    const journey = scenario.journeys[this.#choice.index(this.#random)]!;
    const user = new User(this.#world, this.#random.below(scenario.population.wallets));
    this.#recorder.arrived(this.#secondOf(due));
    this.#begun++;
    this.#underWay++;
    this.#go({ user, journey, ended }, 0, due);
  }

  /** Goes on with a journey at one of its steps, which is due then. */
  #go(
    on: { readonly user: User; readonly journey: Journey; readonly ended: (isWhole: boolean) => void },
    from: number,
    due: number,
  ): void {
    const { user, journey, ended } = on;
    for (let index = from; index < journey.steps.length; index++) {
      if (this.#isStopped) {
        this.#over(ended, false);
        return;
      }
      const step = journey.steps[index]!;
      if (step.do === 'think') {
        const later = due + user.thinkMs(step);
        setTimeout(() => this.#go(on, index + 1, later), Math.max(0, later - clock()));
        return;
      }
      const call = user.ready(step);
      if (call === null) continue;
      this.#call(call, due, (answer) => {
        if (answer?.outcome !== 'ok') {
          this.#over(ended, false);
          return;
        }
        user.done(call, answer.body);
        this.#go(on, index + 1, clock());
      });
      return;
    }
    this.#over(ended, true);
  }

  #over(ended: (isWhole: boolean) => void, isWhole: boolean): void {
    this.#underWay--;
    if (isWhole) this.#ended++;
    ended(isWhole);
  }

  /** `null`: it was held back. */
  #call(call: ReadyCall, due: number, answered: (answer: Told | null) => void): void {
    const at = this.#secondOf(due);
    if (this.#outstanding >= this.#plan.outstandingMax) {
      this.#recorder.ended(call.operation, at, 'held_back', null);
      answered(null);
      return;
    }
    this.#outstanding++;
    this.#recorder.sent(at, clock() - due);
    void this.#send(call).then((answer) => {
      this.#outstanding--;
      const { outcome } = answer;
      this.#recorder.ended(call.operation, at, outcome, clock() - due);
      if (outcome !== 'ok') this.#recorder.example({ operation: call.operation, outcome, answer: answer.answer });
      this.#keep(call, outcome, answer.body, due);
      answered(answer);
    });
  }

  /** Never rejects. */
  #send({ request }: ReadyCall): Promise<Told> {
    if ('http' in request) {
      return new Promise((resolve) => this.#http.send(request.http, (answer) => resolve(told(answer))));
    }
    const sent = this.#queue?.send(request.event, request.group) ?? Promise.reject(new Error('there is no queue'));
    return sent.then(
      (): Told => ({ outcome: 'ok', answer: '', body: {} }),
      (error: Error): Told => ({ outcome: 'unknown', answer: `${error.name}: ${error.message}`, body: null }),
    );
  }

  /** For the ledger to be compared with. */
  #keep(call: ReadyCall, outcome: Told['outcome'], body: Told['body'], dueAt: number): void {
    if (!MOVES_MONEY.includes(call.operation)) return;
    if (outcome === 'unknown') {
      this.#unknown.push(call);
      this.#dueAt.set(call.call, dueAt);
    }
    const id = body?.last_transaction_id ?? body?.transaction_id;
    const transaction = typeof id === 'string' ? tailOf(id) : 0;
    const { operation, wallet, merchant, amount } = call;
    this.#log.add({ call: call.call, operation, outcome, wallet, merchant, amount, transaction, dueAt });
  }

  #secondOf(due: number): number {
    return (due - this.#plan.startAt) / 1000;
  }

  #tellPiece(): void {
    const before = this.#told;
    const loop = performance.eventLoopUtilization();
    this.#told = { at: clock(), cpu: process.cpuUsage(), loop };
    const { user, system } = process.cpuUsage(before.cpu);
    const piece = {
      at: this.#secondOf(this.#told.at),
      seconds: this.#recorder.takeSeconds(),
      calls: this.#log.take(),
      outstanding: this.#outstanding,
      cores: (user + system) / 1000 / Math.max(1, this.#told.at - before.at),
      busy: performance.eventLoopUtilization(loop, before.loop).utilization,
    };
    this.#tell({ piece });
  }
}
