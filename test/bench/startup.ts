import { join } from 'node:path'
import { freePort } from '../helpers/free-port.ts'
import { send } from '../helpers/http.ts'
import { inferBody, TINY } from './models.ts'
import { onCore, residentMb, start } from './processes.ts'
import { SERVER_SCRIPT, until } from './servers.ts'

export interface Startup {
  /** From the start of the process to the first inference, seconds. */
  readonly seconds: number
  /** Resident when nothing happens any more, MB. */
  readonly idleMb: number
}

const SETTLE_MS = 1_000

/** Starts this server with one small model and asks it until it answers an inference. */
export async function measureStartup(cache: string): Promise<Startup> {
  const [port, metrics] = [await freePort(), await freePort()]
  const flags = [
    `--model-repository=${join(cache, 'repo_tiny')}`,
    '--http-address=127.0.0.1',
    `--http-port=${port}`,
    `--metrics-port=${metrics}`,
    '--allow-grpc=false',
  ]
  const { body, headerLength } = inferBody(TINY)
  const begin = performance.now()
  const running = start(onCore('server', [process.execPath, SERVER_SCRIPT, ...flags]))
  try {
    await until(running, async () => {
      const answer = await send({
        url: `http://127.0.0.1:${port}/v2/models/tiny_mlp/infer`,
        method: 'POST',
        headers: { 'inference-header-content-length': String(headerLength) },
        body,
      })
      return answer.status === 200
    })
    const seconds = (performance.now() - begin) / 1000
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    return { seconds, idleMb: residentMb(running.pid) }
  } finally {
    await running.stop()
  }
}
