const NONE: readonly XmlNode[] = [];

/** An element of a camt.053 file with what is in it. Only small parts of a file are ever held like this. */
export class XmlNode {
  text = '';
  #children: XmlNode[] | null = null;

  constructor(
    /** Without a prefix. */
    readonly name: string,
    /** Line of the file on which its tag ends, from 1. */
    readonly line: number,
    /** Its attribute `Ccy`. */
    readonly currency: string | null,
  ) {}

  get children(): readonly XmlNode[] {
    return this.#children ?? NONE;
  }

  add(child: XmlNode): void {
    if (this.#children === null) this.#children = [child];
    else this.#children.push(child);
  }

  /** The first child of this name. */
  child(name: string): XmlNode | null {
    if (this.#children !== null) for (const child of this.#children) if (child.name === name) return child;
    return null;
  }

  all(name: string): readonly XmlNode[] {
    return this.child(name) === null ? NONE : this.children.filter((child) => child.name === name);
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
