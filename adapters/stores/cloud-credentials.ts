import { readFileSync } from 'node:fs'
import { messageOf, ServerError } from '../../core/errors.ts'

/** What Triton's file of cloud credentials says of one S3 repository. '' = not said. */
export interface S3Credentials {
  readonly keyId: string
  readonly secretKey: string
  readonly sessionToken: string
  readonly region: string
  readonly profile: string
}

/** Reads a file no longer than this. */
const MAX_BYTES = 1024 * 1024

/**
 * Credentials for `root` from the JSON file that `TRITON_CLOUD_CREDENTIAL_PATH` names: those of the longest prefix of `root`
 * in its `s3` map. undefined where it has none. Throws INVALID_ARG that shows nothing of the file.
 */
export function s3CredentialsFor(root: string, file: string): S3Credentials | undefined {
  const byPrefix = member(parse(file), 's3')
  const best = longestPrefix(root, byPrefix)
  if (best === undefined) return undefined
  const found = member(byPrefix, best)
  const text = (name: string): string => {
    const value = found[name]
    return typeof value === 'string' ? value : ''
  }
  return {
    keyId: text('key_id'),
    secretKey: text('secret_key'),
    sessionToken: text('session_token'),
    region: text('region'),
    profile: text('profile'),
  }
}

/** The path of Google's credentials for `root`, from the `gs` map of the same file; '' where it has none, or there is no file. */
export function gcsFileFor(root: string, file: string): string {
  if (file === '') return ''
  const byPrefix = member(parse(file), 'gs')
  const best = longestPrefix(root, byPrefix)
  const path = best === undefined ? undefined : byPrefix[best]
  return typeof path === 'string' ? path : ''
}

function longestPrefix(
  root: string,
  byPrefix: Readonly<Record<string, unknown>>,
): string | undefined {
  let best: string | undefined
  for (const prefix of Object.keys(byPrefix)) {
    if (root.startsWith(prefix) && prefix.length >= (best?.length ?? 0)) best = prefix
  }
  return best
}

function parse(file: string): Readonly<Record<string, unknown>> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw invalid(file, messageOf(error))
  }
  if (text.length > MAX_BYTES) throw invalid(file, `it is longer than ${MAX_BYTES} bytes`)
  try {
    return asObject(JSON.parse(text))
  } catch {
    // The parser's own message would quote the secrets.
    throw invalid(file, 'it is not valid JSON')
  }
}

function member(value: Readonly<Record<string, unknown>>, name: string) {
  return asObject(Object.hasOwn(value, name) ? value[name] : undefined)
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function invalid(file: string, why: string): ServerError {
  return new ServerError('INVALID_ARG', `failed to read cloud credentials from '${file}': ${why}`)
}
