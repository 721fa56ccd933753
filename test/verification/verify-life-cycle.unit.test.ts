/** Payments that are settled later, and accounts that change: each planted fault is reported as what it is. */

import { describe, expect, test } from 'vitest';
import type { PaymentRow } from '../../src/verification/ports.ts';
import { EXPIRES_AT, expectFound, type Plant, Scene } from './life-cycle-scene.ts';

const BOOKS = [
  ['in one book', 0],
  ['in two books', 1],
] as const;

const FAULTS: Readonly<Record<string, Plant>> = {
  'captured beyond what is held': (scene) => {
    scene.lie(scene.hold, { held: 1_000n });
    scene.model.lives.held.set('a', 1_070n);
    const capture = scene.run(scene.model.following('capture', scene.hold, 450n, true));
    return [['wrong_settlement', capture]];
  },
  'captured after its time': (scene) => {
    while (scene.model.blocks(0).length < 30) scene.model.append(0, 'seal');
    scene.lie(scene.hold, { expiresAt: EXPIRES_AT * 2 });
    const capture = scene.run(scene.model.following('capture', scene.hold, 10n));
    scene.entry(capture).settlement!.expiresAt = EXPIRES_AT;
    scene.forge();
    return [['wrong_settlement', capture]];
  },
  'captured when nothing is held any more': (scene) => {
    const before = scene.settled(scene.other);
    scene.run(scene.model.following('cancel', scene.other));
    scene.lie(scene.other, before);
    scene.model.lives.held.set('a', 370n);
    return [['wrong_settlement', scene.run(scene.model.following('capture', scene.other, 70n))]];
  },
  'captured though it was never held': (scene) => {
    const never = scene.model.hold('a', 'b', 5n);
    scene.model.lives.settled.set(never.id, { ...scene.settled(scene.other), id: never.id, held: 5n });
    scene.model.lives.held.set('a', 375n);
    return [['wrong_settlement', scene.run(scene.model.following('capture', never, 5n))]];
  },
  'another amount captured than is taken from the account': (scene) => {
    const capture = scene.model.following('capture', scene.hold, 10n);
    return [['wrong_settlement', scene.run({ ...capture, follows: { ...capture.follows!, amount: 20n } })]];
  },
  'another amount captured than was asked for': (scene) => {
    const capture = scene.run(scene.model.following('capture', scene.hold, 10n, true));
    delete scene.claimed(capture).follows!.isLast;
    return [['entry_differs_from_claim', capture]];
  },
  'a refund that was doubled': (scene) => {
    const before = scene.settled(scene.hold);
    scene.run(scene.model.following('refund', scene.hold, 100n));
    scene.lie(scene.hold, before);
    return [['wrong_settlement', scene.run(scene.model.following('refund', scene.hold, 100n))]];
  },
  'a refund beyond what was captured': (scene) => {
    scene.lie(scene.hold, { refunded: 0n });
    const refund = scene.run(scene.model.following('refund', scene.hold, 290n));
    scene.entry(refund).settlement!.refunded = 330n;
    scene.forge();
    return [['wrong_settlement', refund]];
  },
  'a refund beyond what was captured, of what is said to be more': (scene) => {
    scene.lie(scene.hold, { captured: 1_000n });
    return [['wrong_settlement', scene.run(scene.model.following('refund', scene.hold, 290n))]];
  },
  'a refund of what was paid at once, that is said to be more': (scene) => {
    const paid = scene.run(scene.model.payment('a', 'b', 5n));
    const refund = scene.model.following('refund', paid, 7n);
    const { follows } = refund;
    scene.run({ ...refund, follows: { ...follows!, origin: { ...follows!.origin, captured: 8n } } });
    return [['wrong_settlement', paid]];
  },
  'a refund of what was rejected': (scene) => {
    const rejected = scene.run(scene.model.payment('a', 'b', 5_000n));
    scene.run(scene.model.following('refund', rejected, 7n));
    return [['wrong_settlement', rejected]];
  },
  'a refund of what nobody asked for': (scene) => {
    const never = scene.model.payment('a', 'b', 5n);
    scene.run(scene.model.following('refund', never, 5n));
    return [['wrong_settlement', never]];
  },
  'a refund of another amount than it says': (scene) => {
    const refund = scene.model.following('refund', scene.hold, 10n);
    return [['wrong_settlement', scene.run({ ...refund, follows: { ...refund.follows!, amount: 20n } })]];
  },
  'a refund that goes to another account than the payment came from': (scene) => {
    const refund = scene.model.following('refund', scene.hold, 10n);
    const legs = refund.legs.map((leg) => (leg.account === 'a' ? { ...leg, account: 'c' } : leg));
    return [['wrong_settlement', scene.run({ ...refund, legs })]];
  },
  'a refund that is not settled': (scene) => {
    const refund = scene.run(scene.model.following('refund', scene.hold, 10n));
    delete scene.entry(refund).settlement;
    scene.forge();
    // Over two books it has no postings where it is decided.
    const isEmpty = scene.away !== 0;
    return [['entry_differs_from_claim', refund], ...(isEmpty ? [['malformed_entry', refund] as const] : [])];
  },
  'a transaction that is reversed twice': (scene) => {
    scene.lie(scene.moved, { refunded: 0n });
    return [['wrong_settlement', scene.run(scene.model.following('reversal', scene.moved))]];
  },
  'canceled twice': (scene) => {
    const before = scene.settled(scene.other);
    scene.run(scene.model.following('cancel', scene.other));
    scene.lie(scene.other, before);
    scene.model.lives.held.set('a', 370n);
    return [['wrong_settlement', scene.run(scene.model.following('cancel', scene.other))]];
  },
  'canceled in part': (scene) => {
    const cancel = scene.run(scene.model.following('cancel', scene.other));
    const entry = scene.entry(cancel);
    entry.settlement!.held = 3n;
    entry.postings[0]!.held += 3n;
    scene.forge();
    return [['wrong_settlement', cancel]];
  },
  'expired before its time': (scene) => {
    scene.lie(scene.hold, { expiresAt: 1 });
    const expiry = scene.run(scene.model.following('expiry', scene.hold));
    scene.entry(expiry).settlement!.expiresAt = EXPIRES_AT;
    scene.forge();
    return [['wrong_settlement', expiry]];
  },
  'what a capture settles expires at another time': (scene) => {
    const capture = scene.run(scene.model.following('capture', scene.hold, 10n));
    scene.entry(capture).settlement!.expiresAt = EXPIRES_AT + 1;
    scene.forge();
    return [['wrong_settlement', capture]];
  },
  'what a cancel settles is on another account': (scene) => {
    const cancel = scene.run(scene.model.following('cancel', scene.other));
    const entry = scene.entry(cancel);
    entry.settlement!.account = 'c';
    scene.forge();
    return [
      ['wrong_settlement', cancel, 'c'],
      ['malformed_entry', cancel],
      ['wrong_running_balance', cancel, 'a'],
      ['unexplained_hold', null, 'a'],
    ];
  },
  'what a capture settles is another payment': (scene) => {
    const capture = scene.run(scene.model.following('capture', scene.other, 10n));
    scene.claimed(capture).follows!.origin.id = scene.hold.id;
    return [['entry_differs_from_claim', capture]];
  },
  'a rejection of another payment': (scene) => {
    const capture = scene.run(scene.model.following('capture', scene.hold, 1_000n));
    scene.claimed(capture).follows!.origin.id = scene.other.id;
    return [['entry_differs_from_claim', capture]];
  },
  'a wrong held balance': (scene) => {
    const capture = scene.run(scene.model.following('capture', scene.hold, 10n));
    scene.run(scene.model.following('capture', scene.hold, 10n));
    scene.entry(capture).postings.find(({ account }) => account === 'a')!.held += 5n;
    scene.forge();
    return [['wrong_running_balance', capture, 'a']];
  },
  'a held balance that is for no payment': (scene) => {
    scene.model.lives.held.set('a', 375n);
    const payment = scene.run(scene.model.payment('a', 'world', 1n));
    scene.run(scene.model.payment('a', 'world', 1n));
    return [
      ['wrong_running_balance', payment, 'a'],
      ['unexplained_hold', null, 'a'],
    ];
  },
  'a hold without its payment': (scene) => {
    const hold = scene.run(scene.model.hold('a', 'b', 5n));
    delete scene.entry(hold).settlement;
    scene.forge();
    return [
      ['malformed_entry', hold],
      ['wrong_running_balance', hold, 'a'],
      ['entry_differs_from_claim', hold],
    ];
  },
  'a hold of another amount than was asked for': (scene) => {
    const hold = scene.run(scene.model.hold('a', 'b', 5n));
    scene.claimed(hold).legs[0]!.amount = -6n;
    return [['entry_differs_from_claim', hold]];
  },
  'a hold that moves money': (scene) => {
    const hold = scene.run(scene.model.hold('a', 'b', 5n));
    const [posting] = scene.entry(hold).postings;
    posting!.amount = -5n;
    posting!.posted -= 5n;
    scene.forge();
    return [
      ['wrong_settlement', hold],
      ['unbalanced_entry', hold],
      ['entry_differs_from_claim', hold],
      ['unbalanced_book', null],
    ];
  },
  'a payment that is held though it was to be made at once': (scene) => {
    const hold = scene.run(scene.model.hold('a', 'b', 5n));
    delete scene.claimed(hold).hold;
    return [['entry_differs_from_claim', hold]];
  },
  'held below the limit of its account': (scene) => {
    scene.model.lives.states.set('a', { status: 'open', minBalance: null, maxBalance: null });
    return [['limit_exceeded', scene.run(scene.model.hold('a', 'b', 5_000n)), 'a']];
  },
  'taken from a frozen account': (scene) => {
    scene.run(scene.model.change({ account: 'a', status: 'frozen' }));
    scene.model.lives.states.delete('a');
    return [['account_not_open', scene.run(scene.model.payment('a', 'c', 1n)), 'a']];
  },
  'held on a frozen account': (scene) => {
    scene.run(scene.model.change({ account: 'a', status: 'frozen' }));
    scene.model.lives.states.delete('a');
    return [['account_not_open', scene.run(scene.model.hold('a', 'c', 1n)), 'a']];
  },
  'posted to a closed account': (scene) => {
    scene.run(scene.model.change({ account: 'e', status: 'closed' }));
    scene.model.lives.states.delete('e');
    return [['account_not_open', scene.run(scene.model.payment('a', 'e', 1n)), 'e']];
  },
  'closed while it is not empty': (scene) => {
    const close = scene.run(scene.model.change({ account: 'a', status: 'frozen' }));
    scene.entry(close).changed!.status = 'closed';
    scene.claimed(close).change!.status = 'closed';
    scene.forge();
    return [['wrong_account_change', close, 'a']];
  },
  'closed while something is held on it': (scene) => {
    scene.run(scene.model.change({ account: 'e', minBalance: -100n }));
    scene.run(scene.model.hold('e', 'b', 5n));
    scene.model.lives.held.set('e', 0n);
    return [['wrong_account_change', scene.run(scene.model.change({ account: 'e', status: 'closed' })), 'e']];
  },
  'opened after it was closed': (scene) => {
    scene.run(scene.model.change({ account: 'e', status: 'closed' }));
    scene.model.lives.states.delete('e');
    return [['wrong_account_change', scene.run(scene.model.change({ account: 'e', status: 'open' })), 'e']];
  },
  'a change that the document of the account knows nothing of': (scene) => {
    scene.model.accounts.find(({ id }) => id === 'e')!.isAnnounced = false;
    return [['wrong_account_change', scene.run(scene.model.change({ account: 'e', status: 'frozen' })), 'e']];
  },
  'a new limit that the balance is beyond': (scene) => {
    const change = scene.run(scene.model.change({ account: 'a', maxBalance: 100_000n }));
    scene.entry(change).changed!.maxBalance = 10n;
    scene.claimed(change).change!.maxBalance = 10n;
    scene.forge();
    return [['wrong_account_change', change, 'a']];
  },
  'a new limit other than was asked for': (scene) => {
    const change = scene.run(scene.model.change({ account: 'c', maxBalance: 100n }));
    scene.entry(change).changed!.maxBalance = 101n;
    scene.forge();
    return [['entry_differs_from_claim', change]];
  },
  'a limit that changes though only the status was to': (scene) => {
    const change = scene.run(scene.model.change({ account: 'c', status: 'frozen' }));
    scene.entry(change).changed!.minBalance = null;
    scene.forge();
    return [['entry_differs_from_claim', change]];
  },
  'a change of another account than was asked for': (scene) => {
    const change = scene.run(scene.model.change({ account: 'c', maxBalance: 100n }));
    scene.entry(change).changed!.account = 'e';
    scene.entry(change).changed!.minBalance = 0n;
    scene.forge();
    return [['entry_differs_from_claim', change]];
  },
  'a change of an account that is not there': (scene) => {
    const change = scene.run(scene.model.change({ account: 'c', maxBalance: 100n }));
    scene.entry(change).changed!.account = 'nobody';
    scene.forge();
    return [
      ['unknown_account', change, 'nobody'],
      ['entry_differs_from_claim', change],
    ];
  },
  'a change that moves money': (scene) => {
    const change = scene.run(scene.model.change({ account: 'c', maxBalance: 100n }));
    const { postings } = scene.entry(scene.run(scene.model.payment('a', 'world', 1n)));
    scene.entry(change).postings = structuredClone(postings);
    scene.model.blocks(0).pop();
    scene.model.claims.pop();
    scene.model.rows.pop();
    scene.model.checkpoints.set(0, 2);
    scene.forge();
    return [
      ['malformed_entry', change],
      ['entry_differs_from_claim', change],
    ];
  },
};

describe.each(BOOKS)('payments that are settled later and accounts that change, %s', (_, away) => {
  test('are verified', async () => {
    expect(await new Scene(away).breaks()).toEqual([]);
  });

  test.each<[string, Partial<PaymentRow>]>([
    ['status', { status: 'captured' }],
    ['amount that is captured', { amountCaptured: 1n }],
    ['amount that is refunded', { amountRefunded: 1n }],
    ['height of what it says', { settledHeight: 1 }],
  ])('are found in the list of payments with another %s', async (_name, change) => {
    const scene = new Scene(away);
    const row = scene.model.rows.find(({ transactionId }) => transactionId === scene.hold.id)!;
    expect(row).not.toMatchObject(change);
    Object.assign(row, change);
    expect(await scene.breaks()).toMatchObject([{ kind: 'wrong_read_model', entry: scene.hold.id }]);
  });

  test.each(Object.entries(FAULTS))('%s', async (_name, plant) => await expectFound(new Scene(away), plant));
});
