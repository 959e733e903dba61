import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'

/** An S3 repository's root, taken apart. */
export interface S3Root {
  /** As the user wrote it. */
  readonly root: string
  /** '' = Amazon's, by region. */
  readonly endpoint: string
  readonly bucket: string
  /** Of all keys; without slashes at its ends, '' = the whole bucket. */
  readonly prefix: string
}

/** Scheme, host and the rest; without a scheme it takes a port to tell a host from a bucket. */
const ENDPOINT = /^(https?:\/\/)?((?<=:\/\/)[^/]+|[^/]+:[0-9]+)(\/.*)?$/
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/**
 * Reads `s3://bucket/prefix`, `s3://https://host:port/bucket/prefix` (or `http`), and `s3://host:port/bucket/prefix`, which
 * is `http` as with Triton. Throws INVALID_ARG.
 */
export function parseS3Root(root: string): S3Root {
  const rest = root.slice('s3://'.length)
  const named = ENDPOINT.exec(rest)
  const endpoint = named === null ? '' : `${named[1] ?? 'http://'}${named[2]}`
  const path = named === null ? `/${rest}` : (named[3] ?? '')
  const [, bucket = '', ...segments] = path
    .split('/')
    .filter((segment, i) => i < 2 || segment !== '')
  if (!BUCKET.test(bucket) || (endpoint !== '' && !isOrigin(endpoint))) {
    throw new ServerError(
      'INVALID_ARG',
      `invalid model repository '${root}', expected s3://bucket/prefix or s3://https://host:port/bucket/prefix`,
    )
  }
  const prefix = segments.length === 0 ? '' : safeJoin('', ...segments)
  return { root: root.replace(/\/+$/, ''), endpoint, bucket, prefix }
}

/** A host and a port and nothing else: credentials in a URL would end up in logs. */
function isOrigin(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false
  const { origin, href } = new URL(endpoint)
  return href === `${origin}/`
}
