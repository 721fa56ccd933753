/**
 * What every answer tells a browser that comes by it: take it for what its content type says, keep it nowhere, and show
 * it in no frame. No HSTS: whoever ends TLS in front of the service knows whether it may be promised.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;
