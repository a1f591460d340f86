/** The request header by which a page learns the nonce that its inline scripts must carry. */
export const nonceHeader = "x-nonce";

/**
 * What a page may load and run: the dashboard's own files, and inline scripts with this nonce. Style attributes are
 * inline, because widths and positions are computed; the mail in the outbox brings its own styles.
 */
export function contentSecurityPolicy(nonce: string, { isDevelopment }: { isDevelopment: boolean }): string {
  // React's development build evaluates code to show where an error comes from.
  const scripts = `'self' 'nonce-${nonce}' 'strict-dynamic'${isDevelopment ? " 'unsafe-eval'" : ""}`;
  return [
    "default-src 'self'",
    `script-src ${scripts}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}
