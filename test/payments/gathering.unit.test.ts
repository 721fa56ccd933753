import { describe, expect, it } from 'vitest';
import { fulfilled, Gathering } from '../../src/payments/gathering.ts';

/** Answers each item doubled, when it is let go. */
function doubling() {
  const batches: (readonly number[])[] = [];
  const open: (() => void)[] = [];
  const gathering = new Gathering(async (items: readonly number[]) => {
    batches.push(items);
    await new Promise<void>((resolve) => open.push(resolve));
    return fulfilled(items.map((item) => 2 * item));
  });
  const letGo = async () => {
    open.shift()!();
    // What waited is handled next, in turns of its own.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { gathering, batches, letGo };
}

describe('a gathering', () => {
  it('handles the first alone and at once, and together all that came meanwhile', async () => {
    const { gathering, batches, letGo } = doubling();
    const first = gathering.submit(1);
    expect(batches).toEqual([[1]]);
    const later = [2, 3, 4].map((item) => gathering.submit(item));
    expect(batches).toEqual([[1]]);
    await letGo();
    expect(await first).toBe(2);
    expect(batches).toEqual([[1], [2, 3, 4]]);
    const last = gathering.submit(5);
    await letGo();
    expect(await Promise.all(later)).toEqual([4, 6, 8]);
    await letGo();
    expect(await last).toBe(10);
    expect(batches).toEqual([[1], [2, 3, 4], [5]]);
  });

  it('handles a thousand at once at most', async () => {
    const sizes: number[] = [];
    const gathering = new Gathering(async (items: readonly number[]) => {
      sizes.push(items.length);
      return fulfilled(items.map((item) => item));
    });
    const answers = await Promise.all(Array.from({ length: 2_500 }, (_, item) => gathering.submit(item)));
    expect(answers).toEqual(Array.from({ length: 2_500 }, (_, item) => item));
    expect(sizes).toEqual([1, 1_000, 1_000, 499]);
  });

  it('does not wait for long for those before, which may hang for ever', async () => {
    let calls = 0;
    const gathering = new Gathering(async (items: readonly number[]) => {
      if (++calls === 1) await new Promise(() => undefined);
      return fulfilled(items);
    });
    void gathering.submit(1);
    expect(await gathering.submit(2)).toBe(2);
  });

  it('answers each its own error, all of a batch an error of the batch, and goes on', async () => {
    let calls = 0;
    const gathering = new Gathering(async (items: readonly number[]): Promise<PromiseSettledResult<number>[]> => {
      if (++calls === 2) throw new Error('all of them');
      return items.map((value) =>
        value < 0 ? { status: 'rejected', reason: new Error('below') } : { status: 'fulfilled', value },
      );
    });
    const first = gathering.submit(-1);
    const [second, third] = [gathering.submit(2), gathering.submit(3)];
    await expect(first).rejects.toThrow('below');
    await expect(second).rejects.toThrow('all of them');
    await expect(third).rejects.toThrow('all of them');
    expect(await gathering.submit(4)).toBe(4);
  });
});
