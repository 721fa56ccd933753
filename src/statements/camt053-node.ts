const NONE: readonly XmlNode[] = [];

/** An element of a camt.053 file with what is in it. Only small parts of a file are ever held like this. */
export class XmlNode {
  text = '';
  // A list that is linked takes half the memory of arrays, and there are some twenty elements a line.
  #first: XmlNode | null = null;
  #last: XmlNode | null = null;
  #next: XmlNode | null = null;

  constructor(
    /** Without a prefix. */
    readonly name: string,
    /** Line of the file on which its tag ends, from 1. */
    readonly line: number,
    /** Its attribute `Ccy`. */
    readonly currency: string | null,
  ) {}

  /** @param child One that is in no other element. */
  add(child: XmlNode): void {
    if (this.#last === null) this.#first = child;
    else this.#last.#next = child;
    this.#last = child;
  }

  /** The first child of this name. */
  child(name: string): XmlNode | null {
    for (let child = this.#first; child !== null; child = child.#next) if (child.name === name) return child;
    return null;
  }

  all(name: string): readonly XmlNode[] {
    let child = this.child(name);
    if (child === null) return NONE;
    const found: XmlNode[] = [];
    for (; child !== null; child = child.#next) if (child.name === name) found.push(child);
    return found;
  }

  /** The first element at a path of names below this one. */
  at(first: string, second?: string, third?: string): XmlNode | null {
    let node = this.child(first);
    if (node !== null && second !== undefined) node = node.child(second);
    if (node !== null && third !== undefined) node = node.child(third);
    return node;
  }

  /** The text of the element at a path, without spaces around it; null when there is none or it is empty. */
  textAt(first: string, second?: string, third?: string): string | null {
    const text = this.at(first, second, third)?.text.trim();
    return text === undefined || text === '' ? null : text;
  }
}
