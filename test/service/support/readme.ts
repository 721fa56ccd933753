/** The examples of the README: what is to be typed, and what is said to be answered. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FENCE = /^```([a-z]*)\n(.*?)^```$/gms;

interface Block {
  readonly language: string;
  readonly text: string;
}

export interface Example {
  readonly command: string;
  /** Undefined: none is shown. */
  readonly answer: string | undefined;
}

async function blocks(): Promise<Block[]> {
  const readme = await readFile(`${ROOT}/README.md`, 'utf8');
  return [...readme.matchAll(FENCE)].map(([, language, text]) => ({ language: language!, text: text! }));
}

/**
 * All commands that talk to the API, in order. An answer is that of the last request before it; one that follows another
 * answer is of the same command given again.
 */
export async function commandExamples(): Promise<Example[]> {
  const examples: Example[] = [];
  let command: string | null = null;
  for (const { language, text } of await blocks()) {
    if (language === 'sh' || language === 'bash') {
      command = /\b(?:post|curl) /.test(text) ? text : null;
      if (command !== null) examples.push({ command, answer: undefined });
    } else if (language === '' && command !== null && /^(?:HTTP|\{)/.test(text)) {
      if (examples.at(-1)!.answer === undefined) examples.pop();
      examples.push({ command, answer: text });
    }
  }
  return examples;
}

/** All of the TypeScript, as one program; and what it says that it prints, word by word. */
export async function program(): Promise<{ text: string; prints: string[] }> {
  const text = (await blocks()).flatMap((block) => (block.language === 'ts' ? [block.text] : [])).join('\n');
  const prints = [...text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].flatMap(([, words]) => words!.split(' '));
  return { text, prints };
}

/** The output that follows a shown command, `kvitt verify` say. */
export async function outputAfter(start: string): Promise<string> {
  const found = (await blocks()).find(({ text }) => text.startsWith(start));
  if (found === undefined) throw new Error(`the README shows no output that begins with ${start}`);
  return found.text;
}

/** What a shown text stands for: any id, time and height, and anything at all where it is left out with `…`. */
export function patternOf(shown: string): RegExp {
  const pattern = shown
    .trim()
    .split(/\s*…\s*/)
    .map((part) =>
      part
        .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .replace(/_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '_[0-9a-f-]{36}')
        .replace(/\d{4}-\d\d-\d\dT[\d:]+\\\.\d{3}Z/g, '\\d{4}-\\d\\d-\\d\\dT[\\d:]+\\.\\d{3}Z')
        .replace(/"height":\d+/g, '"height":\\d+'),
    )
    .join('[^]*?');
  return new RegExp(`^${pattern}$`);
}
