import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { type S3Credentials, s3CredentialsFor } from './cloud-credentials.ts'
import type { S3Root } from './s3-root.ts'

/** Tries of one request that the network or the service failed; the pauses between them grow. */
export const MAX_ATTEMPTS = 4
const CONNECT_MS = 10_000
/** From a request to the head of its answer. */
const ANSWER_MS = 30_000
const IDLE_MS = 60_000
/** Where buckets are for who says nothing of regions. */
const DEFAULT_REGION = 'us-east-1'
/** More than downloads go on at the same time, listings included. */
const MAX_SOCKETS = 32

export type Environment = Readonly<Record<string, string | undefined>>

/** The SDK and a client of it. */
export interface S3 {
  readonly sdk: typeof import('@aws-sdk/client-s3')
  readonly client: S3Client
}

/**
 * A client for the repository's endpoint. Credentials: those that Triton's file has for it, else the SDK's own chain
 * (environment, profile, web identity, container, instance). The SDK is loaded by the first call.
 */
export async function connectS3(root: S3Root, env: Environment): Promise<S3> {
  const sdk = await import('@aws-sdk/client-s3')
  const file = env['TRITON_CLOUD_CREDENTIAL_PATH'] ?? ''
  const given = file === '' ? undefined : s3CredentialsFor(root.root, file)
  const endpoint = root.endpoint || env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || ''
  // The SDK reads AWS_REGION and the profile's region; Triton reads AWS_DEFAULT_REGION.
  const region = given?.region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || ''
  const profile = given?.profile || env['AWS_PROFILE'] || ''
  const credentials = given === undefined && profile === '' ? ofEnvironment(env) : given
  const config: S3ClientConfig = {
    // A profile may have its own region; without one the SDK would not start.
    ...(region !== '' || profile === '' ? { region: region || DEFAULT_REGION } : {}),
    ...(endpoint === '' ? {} : { endpoint }),
    ...(profile === '' ? {} : { profile }),
    ...(credentials === undefined || credentials.keyId === ''
      ? {}
      : {
          credentials: {
            accessKeyId: credentials.keyId,
            secretAccessKey: credentials.secretKey,
            ...(credentials.sessionToken === '' ? {} : { sessionToken: credentials.sessionToken }),
          },
        }),
    // Servers of one's own seldom have a host name for each bucket, and certificates none for names with dots.
    forcePathStyle: endpoint !== '' || root.bucket.includes('.'),
    followRegionRedirects: true,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      socketTimeout: IDLE_MS,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  }
  return { sdk, client: new sdk.S3Client(config) }
}

/** First in the SDK's chain, which would look into the environment of the process whatever it is told. */
function ofEnvironment(
  env: Environment,
): Pick<S3Credentials, 'keyId' | 'secretKey' | 'sessionToken'> {
  return {
    keyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    sessionToken: env['AWS_SESSION_TOKEN'] ?? '',
  }
}
