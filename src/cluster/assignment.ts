import { createHash } from 'node:crypto';

/**
 * Which instance is to lead which book: as evenly as can be, and the same for everybody who knows the same instances.
 * Of each book and instance a number is drawn; the books choose in turn, each the instance of its highest number that
 * has room left. So one that comes takes its share, and one that goes leaves its share to the others, while most other
 * books stay where they are.
 *
 * @param instances Names, in any order.
 * @returns For each book from 0 on the name; empty when there is no instance.
 */
export function assign(books: number, instances: readonly string[]): string[] {
  const names = [...instances].sort();
  if (names.length === 0) return [];
  const least = Math.floor(books / names.length);
  // Whoever has the highest numbers of their own take one more, if the books cannot be shared evenly.
  const byNumber = [...names].sort((a, b) => (number('extra', a) < number('extra', b) ? 1 : -1));
  const more = new Set(byNumber.slice(0, books % names.length));
  const room = new Map(names.map((name) => [name, least + (more.has(name) ? 1 : 0)]));
  return Array.from({ length: books }, (_, book) => {
    const able = names.filter((name) => room.get(name)! > 0);
    const chosen = able.reduce((best, name) => (number(book, name) > number(book, best) ? name : best));
    room.set(chosen, room.get(chosen)! - 1);
    return chosen;
  });
}

function number(of: number | string, name: string): bigint {
  return createHash('sha1').update(`${of} ${name}`).digest().readBigUInt64BE();
}
