/** As of payments within a book; here what only happens where money goes from book to book, or blocks are missing. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../src/ledger/types.ts';
import { expectFound, type Plant, Scene } from './life-cycle-scene.ts';

const FAULTS: Readonly<Record<string, Plant>> = {
  'a refund that is not taken back though the other book rejected it': (scene) => {
    const refund = refusedRefund(scene);
    delete scene.entry(refund, 'reversal').settlement;
    scene.forge();
    return [
      ['malformed_entry', refund],
      ['entry_differs_from_claim', refund],
    ];
  },
  'a refund of which more is taken back than was settled': (scene) => {
    const refund = refusedRefund(scene);
    scene.entry(refund, 'reversal').settlement!.refunded -= 1n;
    scene.forge();
    return [['entry_differs_from_claim', refund]];
  },
  'a refund that is taken back and goes on being settled': (scene) => {
    const refund = refusedRefund(scene);
    scene.entry(refund, 'reversal').settlement!.refunded += 200n;
    scene.forge();
    return [['wrong_settlement', refund]];
  },
  'a rejection that counts for more than the book that decides it': (scene) => {
    const refund = refusedRefund(scene);
    const [rejected] = scene.model
      .blocks(1)
      .flatMap(({ entries }) => entries)
      .filter(({ id }) => id === refund.id);
    rejected!.rejection!.home = true;
    scene.forge();
    return [['entry_differs_from_claim', refund]];
  },
  'a credit that settles something': (scene) => {
    const capture = scene.run(scene.model.following('capture', scene.hold, 10n));
    scene.entry(capture, 'credit').settlement = structuredClone(scene.settled(scene.hold));
    scene.forge();
    return [['wrong_settlement', capture]];
  },
  'a debit without postings that decides nothing': (scene) => {
    const payment = scene.run(scene.model.payment('a', 'b', 5n));
    scene.entry(payment, 'debit').postings = [];
    scene.forge();
    return [
      ['malformed_entry', payment],
      ['entry_differs_from_claim', payment],
      ['transit_mismatch', null],
    ];
  },
  'a cancel in another book than its hold': (scene) => {
    const cancel = scene.model.following('cancel', scene.other);
    scene.run({ ...cancel, follows: { ...cancel.follows!, book: 1 } });
    return [
      ['wrong_settlement', cancel],
      ['wrong_book', cancel],
    ];
  },
  'a change in another book than its account': (scene) => {
    const change = scene.model.change({ account: 'c', maxBalance: 100n });
    scene.model.run([change], { entries: false });
    const changed = { account: 'c', status: 'open' as const, minBalance: -10n, maxBalance: 100n };
    const { id, key, details } = change;
    scene.model.append(1, 'entries', [{ id, key, kind: 'account_change', postings: [], changed, details }]);
    return [
      ['wrong_book', change, 'c'],
      ['wrong_part', change],
      ['missing_entry', change],
    ];
  },
  'a dropped block in which something was held, and no break for each that follows': (scene) => {
    const hold = scene.run(scene.model.hold('a', 'b', 5n));
    scene.run(scene.model.following('capture', scene.hold, 10n));
    scene.run(scene.model.following('capture', hold, 5n));
    const blocks = scene.model.blocks(0);
    const at = blocks.findIndex(({ entries }) => entries.some(({ id }) => id === hold.id));
    blocks.splice(at, 1);
    return [
      ['height_gap', null],
      ['missing_entry', hold],
    ];
  },
};

/** 100 are to be refunded of which `b` has given 250 away: its book rejects it, and the other takes it back. */
function refusedRefund(scene: Scene): Command {
  scene.model.account('d', 'EUR', 1);
  scene.run(scene.model.payment('b', 'd', 250n));
  const refund = scene.run(scene.model.following('refund', scene.hold, 100n));
  expect(scene.entry(refund, 'reversal').kind).toBe('refund');
  return refund;
}

describe('between two books', () => {
  test.each(Object.entries(FAULTS))('%s', async (_name, plant) => await expectFound(new Scene(1), plant));

  test('a refund that one book rejected is verified', async () => {
    const scene = new Scene(1);
    refusedRefund(scene);
    expect(await scene.breaks()).toEqual([]);
  });
});
