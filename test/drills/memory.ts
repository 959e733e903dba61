import { fileURLToPath } from 'node:url'
import type { Serving } from '../targets/child.ts'

const COLLECTOR = fileURLToPath(new URL('collector.cjs', import.meta.url))
const MB = 2 ** 20

/** Environment of a server whose memory is to be sampled. */
export const SAMPLED: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--require=${JSON.stringify(COLLECTOR)}`,
}

export interface MemorySample {
  readonly residentMb: number
  /** JavaScript objects and the buffers behind them. */
  readonly heapMb: number
}

/** Samples the memory that `server`, started with {@link SAMPLED}, has left after a full collection. */
export function memorySampler(server: Serving): () => Promise<MemorySample> {
  let count = 0
  return async () => {
    count++
    server.process.kill('SIGUSR2')
    const [, text = ''] = await server.line(new RegExp(`^collected ${count} (.*)$`, 'm'))
    const { rss, heapUsed, external } = JSON.parse(text) as Record<string, number>
    return {
      residentMb: (rss ?? Number.NaN) / MB,
      heapMb: ((heapUsed ?? Number.NaN) + (external ?? Number.NaN)) / MB,
    }
  }
}
