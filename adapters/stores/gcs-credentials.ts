import { createSign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { messageOf, ServerError } from '../../core/errors.ts'
import { gcsFileFor } from './cloud-credentials.ts'

/** What may be done with a token: nothing but reading. */
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_only'
const TOKEN_URI = 'https://oauth2.googleapis.com/token'
const METADATA_HOST = 'metadata.google.internal'
/** Whoever has a metadata server has it near; elsewhere the name may lead nowhere for long. */
const METADATA_MS = 2_000
const TOKEN_MS = 10_000
/** Seconds that an assertion is good for. */
const ASSERTION_SECS = 600
/** A token that ends so soon is not used any more. */
const MARGIN_MS = 60_000
const MAX_KEY_FILE_CHARS = 1024 * 1024

export interface GcsTokens {
  /** undefined = requests go without: an emulator, or a bucket that everybody may read. */
  token(): Promise<string | undefined>
  /** What is known was refused. */
  forget(): void
}

export interface GcsTokenOptions {
  /** The repository, for the file of credentials. */
  readonly root: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch: typeof fetch
}

interface Token {
  readonly text: string | undefined
  readonly endMs: number
}

/**
 * Tokens as Google's own clients find them: the file of a service account or a user that `TRITON_CLOUD_CREDENTIAL_PATH` (`gs`) or
 * `GOOGLE_APPLICATION_CREDENTIALS` names, else the machine's metadata server, else none.
 */
export function gcsTokens(options: GcsTokenOptions): GcsTokens {
  const { env } = options
  let known: Promise<Token> | undefined
  let endMs = Number.POSITIVE_INFINITY
  return {
    async token() {
      if ((env['STORAGE_EMULATOR_HOST'] ?? '') !== '') return undefined
      if (Date.now() > endMs - MARGIN_MS) known = undefined
      const asked = known ?? newToken(options)
      known = asked
      try {
        const token = await asked
        endMs = token.endMs
        return token.text
      } catch (error) {
        known = undefined
        throw error
      }
    },
    forget: () => {
      known = undefined
    },
  }
}

/** Whoever asks first may be gone before the others have it: a token is asked for with no one's signal. */
async function newToken(options: GcsTokenOptions): Promise<Token> {
  const { root, env } = options
  const named = gcsFileFor(root, env['TRITON_CLOUD_CREDENTIAL_PATH'] ?? '')
  const file = named || (env['GOOGLE_APPLICATION_CREDENTIALS'] ?? '')
  if (file !== '') return ofFile(options, file)
  const host = env['GCE_METADATA_HOST'] || METADATA_HOST
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`
  try {
    const answer = await options.fetch(url, {
      headers: { 'metadata-flavor': 'Google' },
      redirect: 'error',
      signal: AbortSignal.timeout(METADATA_MS),
    })
    if (answer.ok) return tokenOf(await answer.json())
    await answer.body?.cancel()
  } catch {
    // There is none, or none that answers: asked again when access was denied.
  }
  return { text: undefined, endMs: Number.POSITIVE_INFINITY }
}

async function ofFile(options: GcsTokenOptions, file: string): Promise<Token> {
  const key = readKey(file)
  const text = (name: string): string => {
    const value = key[name]
    if (typeof value === 'string' && value !== '') return value
    throw unusable(file, `it has no '${name}'`)
  }
  switch (key['type']) {
    case 'service_account': {
      const uri = typeof key['token_uri'] === 'string' ? key['token_uri'] : TOKEN_URI
      const assertion = signed(text('client_email'), text('private_key'), uri, file)
      return exchange(options, uri, file, {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion,
      })
    }
    case 'authorized_user':
      return exchange(options, TOKEN_URI, file, {
        grant_type: 'refresh_token',
        client_id: text('client_id'),
        client_secret: text('client_secret'),
        refresh_token: text('refresh_token'),
      })
    default:
      throw unusable(file, "its type must be 'service_account' or 'authorized_user'")
  }
}

function signed(account: string, privateKey: string, audience: string, file: string): string {
  const nowSecs = Math.floor(Date.now() / 1000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: account,
    scope: SCOPE,
    aud: audience,
    iat: nowSecs,
    exp: nowSecs + ASSERTION_SECS,
  }
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  try {
    return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`
  } catch {
    throw unusable(file, "its 'private_key' is no RSA key in PEM")
  }
}

async function exchange(
  { fetch: get }: GcsTokenOptions,
  uri: string,
  file: string,
  fields: Readonly<Record<string, string>>,
): Promise<Token> {
  const answer = await get(uri, {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'error',
    signal: AbortSignal.timeout(TOKEN_MS),
  })
  if (answer.ok) return tokenOf(await answer.json())
  await answer.body?.cancel()
  // A server in trouble may be well again soon.
  if (answer.status >= 500 || answer.status === 429) {
    throw new Error(`no token from '${uri}': status ${answer.status}`)
  }
  throw unusable(file, `'${uri}' gives no token for it (status ${answer.status})`)
}

function tokenOf(answer: unknown): Token {
  const { access_token: text, expires_in: secs } = (answer ?? {}) as Record<string, unknown>
  if (typeof text !== 'string' || typeof secs !== 'number') throw new Error('no token came')
  return { text, endMs: Date.now() + secs * 1000 }
}

function readKey(file: string): Readonly<Record<string, unknown>> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw unusable(file, messageOf(error))
  }
  try {
    const key: unknown = text.length > MAX_KEY_FILE_CHARS ? undefined : JSON.parse(text)
    if (typeof key === 'object' && key !== null) return { ...key }
  } catch {
    // The parser's own message would quote the secrets.
  }
  throw unusable(file, 'it is no JSON object')
}

function unusable(file: string, why: string): ServerError {
  return new ServerError('INVALID_ARG', `cannot use Google credentials '${file}': ${why}`)
}
