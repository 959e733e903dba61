import { ServerError } from '../../core/errors.ts'
import { ReplacedError, UnreachableError } from '../../core/repository/replaced.ts'
import type { S3Root } from './s3-root.ts'

const DENIED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'Forbidden',
  // What versitygw says to an access key that it does not know, with status 404.
  'XAdminUserNotFound',
])
const REPLACED: ReadonlySet<string> = new Set(['PreconditionFailed', 'NoSuchKey', 'InvalidRange'])

/** What the SDK threw, by what can be done about it. */
export type S3Failure =
  | 'replaced'
  | 'missing'
  | 'denied'
  | 'bucket'
  | 'region'
  | 'credentials'
  | 'other'

export function s3Failure(error: unknown): S3Failure {
  const name = error instanceof Error ? error.name : ''
  const status = statusOf(error)
  if (name === 'NoSuchBucket') return 'bucket'
  if (REPLACED.has(name) || status === 412 || status === 416) return 'replaced'
  if (name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed' || status === 301) {
    return 'region'
  }
  if (DENIED.has(name) || status === 401 || status === 403) return 'denied'
  // Answers to HEAD have no body that would say more.
  if (name === 'NotFound' || status === 404) return 'missing'
  if (/Credentials|TokenProvider/.test(name)) return 'credentials'
  return 'other'
}

/** An error that says what failed, on which object, and what to do. No secret is in it. */
export function explainS3(error: unknown, root: S3Root, path: string): ServerError {
  const where = path === '' ? root.root : `${root.root}/${path}`
  const failure = s3Failure(error)
  const text = (why: string): string => `cannot read '${where}': ${why}`
  const name = error instanceof Error ? error.name : 'error'
  const options = { cause: error }
  switch (failure) {
    case 'replaced':
    case 'missing':
      return new ReplacedError(where, options)
    case 'bucket':
      return new ServerError(
        'INVALID_ARG',
        text(`there is no bucket '${root.bucket}' at ${root.endpoint || 'Amazon S3'}`),
        options,
      )
    case 'region':
      return new ServerError(
        'INVALID_ARG',
        text(`bucket '${root.bucket}' is in another region, set AWS_REGION to it`),
        options,
      )
    case 'credentials':
      return new ServerError(
        'INVALID_ARG',
        text(
          'no credentials, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or TRITON_CLOUD_CREDENTIAL_PATH, or give the machine a role',
        ),
        options,
      )
    case 'denied':
      return new ServerError(
        'INVALID_ARG',
        text(
          `access denied (${name}), check the credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE, TRITON_CLOUD_CREDENTIAL_PATH or the machine's role); ` +
            `they need s3:ListBucket on '${root.bucket}' and s3:GetObject on what is in it`,
        ),
        options,
      )
    case 'other':
      return new UnreachableError(text(reasonOf(error)), options)
  }
}

/** System errors and timeouts have little more than a code. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const status = statusOf(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  const text =
    error.message === '' || error.message.includes(code)
      ? error.message || code
      : `${code}: ${error.message}`
  return status === 0 ? text : `${text} (status ${status})`
}

function statusOf(error: unknown): number {
  const metadata = (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | null)
    ?.$metadata
  return metadata?.httpStatusCode ?? 0
}
