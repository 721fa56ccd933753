/** All that programs need of the client. */
export { type ClientOptions, KvittError } from './calls.ts';
export * from './client.ts';
export type { Listing, Page } from './listing.ts';
export { cloudnameTargets, fixedTargets, type Targets } from './targets.ts';
export { type VerifyOptions, verifyWebhook, WebhookError } from './webhook.ts';
