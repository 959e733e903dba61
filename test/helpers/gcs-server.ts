import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

const PROGRAM = fileURLToPath(new URL('../../.cache/bin/fake-gcs-server', import.meta.url))

/** Why tests with a server of Google Cloud Storage are skipped; undefined = they run. */
export const NO_GCS: string | undefined = existsSync(PROGRAM)
  ? undefined
  : 'no fake-gcs-server in .cache/bin (test/targets/tools/fake-gcs-server.sh installs it)'

/** A server of a test's own, with one bucket. It lets everybody in. */
export interface TestGcs {
  readonly port: number
  readonly bucket: string
  /** Names the server, as Google's own clients take it. */
  readonly env: Readonly<Record<string, string>>
  put(name: string, body: Uint8Array | string): Promise<void>
  remove(name: string): Promise<void>
  stop(): Promise<void>
}

export async function testGcs(): Promise<TestGcs> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = spawn(
    PROGRAM,
    ['-scheme=http', '-host=127.0.0.1', `-port=${port}`, '-backend=memory', '-log-level=error'],
    { stdio: 'ignore' },
  )
  const ended = once(child, 'exit')
  const bucket = 'models'
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    const answer = await fetch(url + path, init)
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  while (!(await fetch(`${url}/storage/v1/b`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`fake-gcs-server ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await ask('/storage/v1/b?project=test', {
    method: 'POST',
    body: JSON.stringify({ name: bucket }),
  })
  return {
    port,
    bucket,
    env: { STORAGE_EMULATOR_HOST: url },
    async put(name, body) {
      const query = new URLSearchParams({ uploadType: 'media', name })
      await ask(`/upload/storage/v1/b/${bucket}/o?${query}`, {
        method: 'POST',
        body: body as BodyInit,
      })
    },
    async remove(name) {
      const path = `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`
      await ask(path, { method: 'DELETE' })
    },
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
