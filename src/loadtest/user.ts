/** One user on one journey: a call after the other, each when the one before was answered and thought about. */
import { NO_MERCHANT } from './call-log.ts';
import type { WeightedChoice } from './choice.ts';
import type { HttpCall } from './http-sender.ts';
import { merchantId, outside, referenceOf, walletId } from './names.ts';
import type { QueueEvent } from './queue-sender.ts';
import type { Random } from './random.ts';
import { type Operation, operationOf, type Step } from './scenario.ts';

const THINK_MAX = 5;
const LIST_LIMIT = 10;

/** A call that is ready to be sent, over HTTP or to the queue. */
export interface ReadyCall {
  readonly call: number;
  readonly operation: Operation;
  readonly wallet: number;
  /** {@link NO_MERCHANT}: none. */
  readonly merchant: number;
  readonly amount: number;
  readonly request: { readonly http: HttpCall } | { readonly event: QueueEvent; readonly group: string };
}

/** What users of a run share. */
export interface World {
  readonly run: string;
  readonly currency: string;
  readonly merchants: WeightedChoice;
  readonly random: Random;
  /** Numbers that no call of the run has had. */
  nextCall(): number;
  /** Numbers that no wallet of the run has had. */
  newWallet(): number;
}

interface Bought {
  readonly payment: string;
  /** Which was the user's then. */
  readonly wallet: number;
  readonly merchant: number;
  readonly amount: number;
}

/** What of an answer the next steps need. */
export type Answered = Readonly<Record<string, unknown>> | null;

export class User {
  readonly #world: World;
  #wallet: number;
  #bought: Bought | null = null;
  #authorized: Bought | null = null;

  /** `wallet`: whose the user is at first. */
  constructor(world: World, wallet: number) {
    this.#world = world;
    this.#wallet = wallet;
  }

  /** How long the user thinks, ms; a call has no such step. */
  thinkMs(step: Extract<Step, { do: 'think' }>): number {
    const ms = step.seconds * 1000;
    return Math.min(THINK_MAX * ms, this.#world.random.exponential(ms));
  }

  /** The call of a step; null: nothing came of what it is about, such as a purchase that is not to be had back. */
  ready(step: Exclude<Step, { do: 'think' }>): ReadyCall | null {
    const { random, run } = this.#world;
    switch (step.do) {
      case 'open_wallet': {
        this.#wallet = this.#world.newWallet();
        const { currency } = this.#world;
        return this.#call(step, 0, NO_MERCHANT, {
          path: '/v1/accounts',
          fields: { id: walletId(run, this.#wallet), currency },
        });
      }
      case 'top_up':
        return this.#pay(step, random.between(step.amount), NO_MERCHANT);
      case 'buy':
      case 'authorize':
        return this.#pay(step, random.between(step.amount), this.#world.merchants.index(random));
      case 'capture':
        return this.#follow(step, this.#authorized);
      case 'refund':
        return this.#follow(step, this.#bought);
      case 'check_balance':
        return this.#read(step, `/v1/accounts/${walletId(run, this.#wallet)}/balance`);
      case 'list_payments':
        return this.#read(step, `/v1/payments?account=${walletId(run, this.#wallet)}&limit=${LIST_LIMIT}`);
    }
  }

  /** It went well. */
  done({ operation, wallet, merchant, amount }: ReadyCall, answered: Answered): void {
    const payment = typeof answered?.id === 'string' ? answered.id : null;
    const about = payment === null ? null : { payment, wallet, merchant, amount };
    if (operation === 'buy') this.#bought = about;
    if (operation === 'authorize') this.#authorized = about;
    if (operation === 'capture') this.#authorized = null;
    if (operation === 'refund') this.#bought = null;
  }

  #pay(step: Step, amount: number, merchant: number): ReadyCall {
    const { run, currency } = this.#world;
    const wallet = walletId(run, this.#wallet);
    const [source, destination] =
      merchant === NO_MERCHANT ? [outside(currency), wallet] : [wallet, merchantId(run, merchant)];
    const manual = step.do === 'authorize' ? { capture: 'manual' } : {};
    const fields = { source, destination, amount, currency, ...manual };
    return this.#call(step, amount, merchant, { path: '/v1/payments', fields });
  }

  #follow(step: Step, about: Bought | null): ReadyCall | null {
    if (about === null) return null;
    const path = `/v1/payments/${about.payment}/${step.do}`;
    return { ...this.#call(step, about.amount, about.merchant, { path, fields: {} }), wallet: about.wallet };
  }

  #call(
    step: Step,
    amount: number,
    merchant: number,
    { path, fields }: { readonly path: string; readonly fields: Readonly<Record<string, unknown>> },
  ): ReadyCall {
    const call = this.#world.nextCall();
    const operation = operationOf(step)!;
    const key = referenceOf(this.#world.run, call);
    const about = { call, operation, wallet: this.#wallet, merchant, amount };
    const data = operation === 'open_wallet' ? fields : { ...fields, reference: key };
    if (operation === 'queue_buy') {
      const group = walletId(this.#world.run, this.#wallet);
      return { ...about, request: { event: { id: key, type: 'payment.requested', data }, group } };
    }
    const http: HttpCall = { method: 'POST', path, body: JSON.stringify(data), idempotencyKey: key };
    return { ...about, request: { http } };
  }

  #read(step: Step, path: string): ReadyCall {
    const call = this.#world.nextCall();
    const about = { call, operation: operationOf(step)!, wallet: this.#wallet, merchant: NO_MERCHANT, amount: 0 };
    return { ...about, request: { http: { method: 'GET', path } } };
  }
}
