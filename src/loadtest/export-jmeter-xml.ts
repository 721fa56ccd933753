/** The XML of JMeter's plans: elements, each followed by a `hashTree` of what is below it. */

export interface Node {
  /** The element itself, a line each. */
  readonly lines: readonly string[];
  readonly below: readonly Node[];
}

const SPECIAL: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

export function element(
  kind: string,
  gui: string,
  name: string,
  properties: readonly string[],
  below: readonly Node[] = [],
): Node {
  const open = `<${kind} guiclass="${gui}" testclass="${kind}" testname="${escaped(name)}" enabled="true">`;
  return { lines: [open, ...properties.map((property) => `  ${property}`), `</${kind}>`], below };
}

/** What JMeter puts in place when a user is there: a variable, or the answer of a function. */
export function filled(expression: string): string {
  return `\${${expression}}`;
}

export function string(name: string, value: string): string {
  return `<stringProp name="${name}">${escaped(value)}</stringProp>`;
}

export function bool(name: string, value: boolean): string {
  return `<boolProp name="${name}">${value}</boolProp>`;
}

export function integer(name: string, value: number): string {
  return `<intProp name="${name}">${value}</intProp>`;
}

/** The whole document, without its declaration. */
export function tree(plan: Node): string[] {
  return [
    '<jmeterTestPlan version="1.2" properties="2.8" jmeter="2.13">',
    ...branches([plan], '  '),
    '</jmeterTestPlan>',
  ];
}

function branches(nodes: readonly Node[], indent: string): string[] {
  if (nodes.length === 0) return [`${indent}<hashTree/>`];
  const inner = `${indent}  `;
  const all = nodes.flatMap(({ lines, below }) => [...lines.map((line) => inner + line), ...branches(below, inner)]);
  return [`${indent}<hashTree>`, ...all, `${indent}</hashTree>`];
}

/** The lines must not hold two hyphens in a row. */
export function comment(lines: readonly string[]): string {
  return ['<!--', ...lines.map((line) => `  ${line}`), '-->'].join('\n');
}

/** Milliseconds, as JMeter works them out when a user is there. */
export function pause(name: string, duration: string): Node {
  const properties = [integer('ActionProcessor.action', 1), integer('ActionProcessor.target', 0)];
  return element('TestAction', 'TestActionGui', name, [...properties, string('ActionProcessor.duration', duration)]);
}

export function headers(name: string, fields: Readonly<Record<string, string>>): Node {
  const rows = Object.entries(fields).map(([field, value]) => {
    const properties = string('Header.name', field) + string('Header.value', value);
    return `<elementProp name="" elementType="Header">${properties}</elementProp>`;
  });
  const all = `<collectionProp name="HeaderManager.headers">${rows.join('')}</collectionProp>`;
  return element('HeaderManager', 'HeaderPanel', name, [all]);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => SPECIAL[character]!);
}
