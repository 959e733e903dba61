import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BenchModel, inferBody } from './models.ts'
import { hasProgram, onCore, run } from './processes.ts'

/** What a load generator saw. */
export interface LoadResult {
  /** Answers per second. */
  readonly rate: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
}

export interface Load {
  readonly url: string
  readonly model: BenchModel
  readonly connections: number
  readonly seconds: number
  /** What is sent. Default: the tensors in the body. */
  readonly request?: { readonly body: Uint8Array; readonly headerLength: number }
  /** Folder for request bodies. */
  readonly cache: string
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const wrk = hasProgram('wrk')
const GRACE_MS = 20_000

/** Which client measures: `wrk`, or this project's closed-loop client where that is missing. */
export const LOAD_CLIENT: string = wrk ? 'wrk' : 'client.ts'

/** Posts the same binary infer request over a number of connections, each with one request in flight. */
export async function generateLoad(load: Load): Promise<LoadResult> {
  const { url, connections, seconds } = load
  const { body, headerLength } = load.request ?? inferBody(load.model)
  const file = join(load.cache, `${load.model.base}.bin`)
  writeFileSync(file, body)
  const tail = [file, String(headerLength)]
  const command = wrk
    ? [
        'wrk',
        '-t1',
        `-c${connections}`,
        `-d${seconds}s`,
        '--timeout',
        '10s',
        '-s',
        here('infer.lua'),
        url,
        '--',
        ...tail,
      ]
    : [
        process.execPath,
        '--import',
        'tsx',
        here('client.ts'),
        url,
        String(connections),
        String(seconds),
        ...tail,
      ]
  const output = await run(onCore('client', command), seconds * 1000 + GRACE_MS)
  const text = /^RESULT (.*)$/m.exec(output)?.[1]
  if (text === undefined) throw new Error(`no result from ${LOAD_CLIENT}: ${output}`)
  const result = JSON.parse(text) as Record<
    'requests' | 'micros' | 'p50' | 'p99' | 'bad' | 'broken',
    number
  >
  if (result.bad > 0 || result.broken > 0 || result.requests === 0) {
    throw new Error(`${url} at ${connections} connections: ${text}`)
  }
  return { rate: result.requests / (result.micros / 1e6), p50: result.p50, p99: result.p99 }
}
