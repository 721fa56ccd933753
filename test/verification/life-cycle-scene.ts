/** Payments that are settled later and accounts that change: a sound ledger of them, to plant faults in. */
import { expect } from 'vitest';
import type { Command, Entry, EntryPart, Settlement } from '../../src/ledger/types.ts';
import type { Break } from '../../src/verification/breaks.ts';
import { type VerifyOptions, verify } from '../../src/verification/verify.ts';
import { Model, type Mutable, NOW, timeOfBlock } from './model.ts';

const OPTIONS: VerifyOptions = { clock: { now: () => NOW }, claimAgeMsMax: 60_000 };
export const EXPIRES_AT = timeOfBlock(30);

/** A model, what its commands are called, and what may be done to it. */
export class Scene {
  readonly model = new Model();
  readonly hold: Command;
  readonly other: Command;
  readonly paid: Command;
  readonly moved: Command;

  /** `world`, `a`, `c` and an empty `e` in book 0, `b` in the book given. Of `hold`, 300 of 600 are captured by now. */
  constructor(readonly away: number) {
    const { model } = this;
    model.account('world', 'EUR', 0, null);
    for (const id of ['a', 'c', 'e']) model.account(id, 'EUR', 0);
    model.account('b', 'EUR', away);
    for (const book of new Set([0, away])) model.append(book, 'term');
    model.run([model.payment('world', 'a', 2_000n)]);
    this.hold = this.run(model.hold('a', 'b', 600n, EXPIRES_AT));
    this.other = this.run(model.hold('a', 'b', 70n));
    this.run(model.following('capture', this.hold, 200n));
    this.run(model.following('capture', this.hold, 100n));
    this.paid = this.run(model.payment('a', 'b', 50n));
    this.run(model.following('refund', this.paid, 20n));
    this.moved = this.run(
      model.transaction([
        ['a', -30n],
        ['b', 30n],
      ]),
    );
    this.run(model.following('reversal', this.moved));
    this.run(model.following('refund', this.hold, 40n));
    this.run(model.change({ account: 'c', minBalance: -10n }));
  }

  run(command: Command): Command {
    this.model.run([command]);
    return command;
  }

  /** What the model takes for true of a payment is not what the journal says. */
  lie({ id }: Command, what: Partial<Settlement>): void {
    const { settled } = this.model.lives;
    settled.set(id, { ...settled.get(id)!, ...what });
  }

  settled({ id }: Command): Settlement {
    return this.model.lives.settled.get(id)!;
  }

  entry({ id }: Command, part?: EntryPart): Mutable<Entry> {
    const all = [...this.model.books.values()].flat().flatMap(({ entries }) => entries);
    return all.find((entry) => entry.id === id && (part === undefined || entry.span?.part === part))!;
  }

  claimed({ id }: Command): Mutable<Command> {
    return this.model.claims.flatMap(({ commands }) => commands).find((command) => command.id === id)!;
  }

  forge(): void {
    for (const book of this.model.books.keys()) this.model.forge(book);
  }

  async breaks(): Promise<readonly Break[]> {
    return (await verify(this.model.port(), OPTIONS)).breaks;
  }
}

export type Expected = readonly (readonly [kind: Break['kind'], entry: Command | null, account?: string])[];

/** Plants a fault; answers what must be reported, and nothing else. */
export type Plant = (scene: Scene) => Expected;

/** Exactly what is said to be found, at these entries. */
export async function expectFound(scene: Scene, plant: Plant): Promise<void> {
  const expected = plant(scene);
  // What the list of payments says is another matter.
  scene.model.rows = [];
  scene.model.checkpoints.clear();
  const texts = expected.map(([kind, command, account]) => `${kind} ${command?.id ?? null} ${account ?? ''}`);
  const found = (await scene.breaks()).map(({ kind, entry, account }) => {
    const isAsked = expected.some(([one, , named]) => one === kind && named !== undefined);
    return `${kind} ${entry} ${isAsked ? account : ''}`;
  });
  expect(found.sort()).toEqual(texts.sort());
}
