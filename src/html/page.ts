/** Frame of a document that needs nothing else: it can be mailed, kept for years, and printed. */
import { createHash } from 'node:crypto';
import { html, Markup } from './markup.ts';

interface Page {
  readonly title: string;
  readonly style: string;
  /** Must be the only one in the document. */
  readonly script?: string;
}

/** From the doctype to where the body begins. It loads nothing, sends nothing, and runs nothing but `style` and `script`. */
export function pageHead({ title, style, script }: Page): Markup {
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(style)}`,
    ...(script === undefined ? [] : [`script-src ${hashOf(script)}`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
`;
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
