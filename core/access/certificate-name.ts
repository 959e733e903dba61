/** One entry of an alternative name's text; a value with special characters stands in quotes. */
const ENTRY = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy

/** What a URI begins with; no subject does. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/

/**
 * What a client certificate is known by: its first SAN URI, else its subject on one line. `subject` has a line per
 * attribute, special characters escaped; `alternatives` is as OpenSSL prints it: `DNS:a, URI:spiffe://b`.
 */
export function certificateName(subject: string, alternatives: string | undefined): string {
  for (const [, kind, value = ''] of (alternatives ?? '').matchAll(ENTRY)) {
    // Quoted values were not meant to be read by eye, and what has no scheme could be somebody's subject: neither is taken.
    if (kind === 'URI' && SCHEME.test(value)) return value
  }
  return subject.trim().split('\n').join(',')
}
