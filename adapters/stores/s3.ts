import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import type { Log } from '../../core/platform.ts'
import { ReplacedError } from '../../core/repository/replaced.ts'
import type { RemoteFile, RemoteFiles, RemoteListing } from './remote-types.ts'
import { connectS3, type Environment, type S3 } from './s3-client.ts'
import { explainS3, s3Failure } from './s3-errors.ts'
import { parseS3Root } from './s3-root.ts'

/** Objects of one repository; where there are more it cannot be served. */
export const MAX_OBJECTS = 200_000

export interface S3FilesOptions {
  /** `s3://bucket/prefix` or `s3://https://host:port/bucket/prefix`. */
  readonly root: string
  /** Where region, endpoint and credentials may be named. */
  readonly env: Environment
  readonly log: Log
  /** Makes the client. Default: the SDK's, configured as {@link connectS3} says. */
  readonly connect?: typeof connectS3
}

/** The objects of an S3 bucket below a prefix. */
export function s3Files(options: S3FilesOptions): RemoteFiles {
  const { env, log, connect = connectS3 } = options
  const root = parseS3Root(options.root)
  const { bucket: Bucket } = root
  const base = root.prefix === '' ? '' : `${root.prefix}/`
  let connected: Promise<S3> | undefined
  let closed = false

  /** Runs `work`; where access is denied once more with credentials that are read anew, for they may have been changed. */
  async function withClient<T>(path: string, work: (s3: S3) => Promise<T>): Promise<T> {
    if (closed) throw new ServerError('UNAVAILABLE', `'${root.root}' is closed`)
    const used = connected ?? connect(root, env)
    connected = used
    try {
      return await work(await used)
    } catch (error) {
      if (error instanceof ServerError) throw error
      if (error instanceof Error && error.name === 'AbortError') throw error
      const failure = s3Failure(error)
      if (failure !== 'denied' && failure !== 'credentials') throw explainS3(error, root, path)
      if (connected === used) connected = connect(root, env)
      const renewed = await connected
      return work(renewed).catch((again: unknown) => {
        throw again instanceof ServerError ? again : explainS3(again, root, path)
      })
    }
  }

  async function listBelow({ sdk, client }: S3, path: string, signal?: AbortSignal) {
    const files: RemoteFile[] = []
    // A bucket is a folder, also an empty one.
    const folders = base === '' && path === '' ? [''] : []
    const Prefix = path === '' ? base : `${base}${path}/`
    let ContinuationToken: string | undefined
    let unsafe = 0
    do {
      const page = await client.send(
        new sdk.ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }),
        abortable(signal),
      )
      for (const { Key = '', Size = 0, ETag = '', LastModified } of page.Contents ?? []) {
        const key = Key.slice(base.length)
        const at = key.endsWith('/') ? key.slice(0, -1) : key
        if (at === '') folders.push('')
        else if (!isSafe(at)) unsafe++
        else if (at !== key) folders.push(at)
        else {
          const modifiedMs = LastModified?.getTime() ?? 0
          files.push({ path: at, size: Size, tag: ETag, modifiedMs })
        }
      }
      if (files.length + folders.length > MAX_OBJECTS) {
        throw new ServerError(
          'INVALID_ARG',
          `'${root.root}' has more than ${MAX_OBJECTS} objects, name a prefix that holds models alone`,
        )
      }
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (ContinuationToken !== undefined)
    if (unsafe > 0) {
      log.warning(`ignore ${unsafe} objects of '${root.root}' whose names cannot be paths of files`)
    }
    return { files, folders }
  }

  async function listOne({ sdk, client }: S3, path: string, signal?: AbortSignal) {
    try {
      const found = await client.send(
        new sdk.HeadObjectCommand({ Bucket, Key: base + path }),
        abortable(signal),
      )
      const { ContentLength: size = 0, ETag: tag = '', LastModified } = found
      return [{ path, size, tag, modifiedMs: LastModified?.getTime() ?? 0 }]
    } catch (error) {
      if (s3Failure(error) === 'missing') return []
      throw error
    }
  }

  return {
    root: root.root,
    list: (path, signal) =>
      withClient(path, async (s3): Promise<RemoteListing> => {
        const below = await listBelow(s3, path, signal)
        if (path === '' || below.files.length + below.folders.length > 0) return below
        return { files: await listOne(s3, path, signal), folders: [] }
      }),
    open: (file, offset, signal) =>
      withClient(file.path, async ({ sdk, client }) => {
        const answer = await client.send(
          new sdk.GetObjectCommand({
            Bucket,
            Key: base + file.path,
            IfMatch: file.tag,
            ChecksumMode: 'ENABLED',
            ...(offset > 0 ? { Range: `bytes=${offset}-` } : {}),
          }),
          abortable(signal),
        )
        return bodyOf(answer, file, offset)
      }),
    close() {
      closed = true
      void connected?.then(
        ({ client }) => client.destroy(),
        () => undefined,
      )
    },
  }
}

/** Servers that do not know conditions or ranges answer as if nobody had asked for them. */
async function bodyOf(
  answer: GetObjectCommandOutput,
  file: RemoteFile,
  offset: number,
): Promise<AsyncIterable<Uint8Array>> {
  const body = answer.Body as AsyncIterable<Uint8Array> & { destroy?(): void }
  const whole = offset > 0 && answer.$metadata.httpStatusCode !== 206
  if (answer.ETag !== file.tag || whole) {
    body.destroy?.()
    if (!whole) throw new ReplacedError(file.path)
    throw new ServerError(
      'UNSUPPORTED',
      `reading '${file.path}' broke off and the server cannot resume`,
    )
  }
  return body
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}

function isSafe(path: string): boolean {
  try {
    safeJoin('', path)
    return true
  } catch {
    return false
  }
}
