/** Pages as a browser reads them. */
import { type DefaultTreeAdapterTypes, parse } from 'parse5';

export type Element = DefaultTreeAdapterTypes.Element;

/** What is no correct HTML is an error. */
export function pageOf(text: string): Page {
  const errors: string[] = [];
  const document = parse(text, { onParseError: ({ code, startLine }) => errors.push(`${code} in line ${startLine}`) });
  if (errors.length > 0) throw new Error(`no correct HTML: ${errors.join(', ')}`);
  return new Page(text, document);
}

export class Page {
  readonly elements: readonly Element[];
  constructor(
    readonly source: string,
    root: DefaultTreeAdapterTypes.Node,
  ) {
    this.elements = elementsIn(root);
  }

  all(name: string): Element[] {
    return this.elements.filter(({ tagName }) => tagName === name);
  }
  byId(id: string): Element {
    return this.elements.find((one) => attribute(one, 'id') === id)!;
  }
  text(id: string): string {
    return textOf(this.byId(id));
  }
  /** Between head and script. */
  get main(): string {
    return this.source.slice(this.source.indexOf('<main>'), this.source.indexOf('</main>'));
  }
  get verdict(): string {
    return textOf(this.elements.find((one) => attribute(one, 'class')?.startsWith('verdict'))!);
  }
  /** Of the table in a section. */
  rows(id: string): string[][] {
    return elementsIn(this.byId(id))
      .filter(({ tagName, parentNode }) => tagName === 'tr' && (parentNode as Element).tagName === 'tbody')
      .map((row) =>
        elementsIn(row)
          .filter(({ tagName }) => ['td', 'th'].includes(tagName))
          .map(textOf),
      );
  }
}

export function elementsIn(node: DefaultTreeAdapterTypes.Node): Element[] {
  const children = 'childNodes' in node ? node.childNodes : [];
  return children.flatMap((child) => ('tagName' in child ? [child, ...elementsIn(child)] : []));
}

export function textOf(node: DefaultTreeAdapterTypes.Node): string {
  if ('value' in node) return node.value;
  return 'childNodes' in node ? node.childNodes.map(textOf).join('') : '';
}

export function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((one) => one.name === name)?.value;
}
