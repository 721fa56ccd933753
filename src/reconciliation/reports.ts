export const REPORT_FORMATS = ['json', 'csv', 'html'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];
export async function renderReport(..._: unknown[]): Promise<AsyncIterable<string>> {
  throw new Error('todo');
}
