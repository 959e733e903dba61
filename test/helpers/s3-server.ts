import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { freePort } from './free-port.ts'

const PROGRAM = fileURLToPath(new URL('../../.cache/bin/versitygw', import.meta.url))

/** Why tests with a real S3 server are skipped; undefined = they run. */
export const NO_S3: string | undefined = existsSync(PROGRAM)
  ? undefined
  : 'no versitygw in .cache/bin (test/targets/tools/versitygw.sh installs it)'

/** A real S3 server of a test's own, with one bucket. */
export interface TestS3 {
  readonly port: number
  readonly bucket: string
  /** `s3://http://127.0.0.1:port/bucket`. */
  readonly root: string
  /** Credentials and nothing else. */
  readonly env: Readonly<Record<string, string>>
  readonly client: S3Client
  put(key: string, body: Uint8Array | string): Promise<void>
  remove(key: string): Promise<void>
  /** Where the server keeps the bucket's objects, as files. */
  readonly folder: string
  /** Ends it and removes what it kept. */
  stop(): Promise<void>
}

export async function testS3(): Promise<TestS3> {
  const folder = mkdtempSync(join(tmpdir(), 'versitygw-'))
  const data = join(folder, 'data')
  mkdirSync(data)
  const env = { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret-of-the-tester' }
  const port = await freePort()
  const child = spawn(
    PROGRAM,
    [
      '--port',
      `127.0.0.1:${port}`,
      '--access',
      env.AWS_ACCESS_KEY_ID,
      '--secret',
      env.AWS_SECRET_ACCESS_KEY,
      '--keep-alive',
      '--quiet',
      'posix',
      '--sidecar',
      join(folder, 'meta'),
      data,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder },
  )
  mkdirSync(join(folder, 'meta'))
  await listening(child, port)
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    },
  })
  const Bucket = 'models'
  await client.send(new CreateBucketCommand({ Bucket }))
  return {
    port,
    bucket: Bucket,
    root: `s3://http://127.0.0.1:${port}/${Bucket}`,
    env,
    client,
    folder: join(data, Bucket),
    async put(Key, Body) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }))
    },
    async remove(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }))
    },
    async stop() {
      client.destroy()
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGKILL')
        await ended
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  let text = ''
  child.stdout?.on('data', (chunk) => {
    text += chunk
  })
  child.stderr?.on('data', (chunk) => {
    text += chunk
  })
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`versitygw ended: ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
