/**
 * `npm run bench:grpc [-- --rounds 3 --seconds 3]`: gRPC beside its floor, a bare `node:http2` server with the same codecs.
 * Client: `h2load`. Rounds are interleaved; the table shows medians.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../helpers/free-port.ts'
import { send } from '../helpers/http.ts'
import { grpcLoad } from './h2load.ts'
import { prepare } from './make.ts'
import { TINY } from './models.ts'
import { hasProgram, onCore, type Running, start } from './processes.ts'
import { median } from './report.ts'
import { SERVER_SCRIPT, until } from './servers.ts'

process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

/** Connections, calls in flight on each, and this server's least share of the floor (0 = told, not judged). */
const CASES = [
  { connections: 1, streams: 1, target: 1.15 },
  { connections: 16, streams: 1, target: 2.2 },
  { connections: 64, streams: 1, target: 2.2 },
  { connections: 1, streams: 64, target: 0 },
] as const
const MODELS = ['tiny_mlp', 'tiny_mlp_dyn'] as const

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
if (!(rounds > 0) || !(seconds > 0)) throw new Error('--rounds and --seconds are numbers above 0')
if (!hasProgram('h2load')) {
  console.log('skipped: h2load is not installed (Debian: apt install nghttp2-client)')
  process.exit(0)
}

interface Contender {
  readonly name: string
  readonly model: string
  readonly port: number
  readonly running: Running
}

async function startFloor(cache: string): Promise<Contender> {
  const port = await freePort()
  const script = fileURLToPath(new URL('grpc-floor.ts', import.meta.url))
  const model = TINY.base
  const args = [script, join(cache, 'onnx', `${model}.onnx`), model, model, String(port)]
  const running = start(onCore('server', [process.execPath, '--import', 'tsx', ...args]))
  await until(running, async () => running.output().includes(String(port)))
  return { name: 'floor', model, port, running }
}

async function startServer(cache: string, transport: string): Promise<Contender> {
  const [http, port, metrics] = [await freePort(), await freePort(), await freePort()]
  const running = start(
    onCore('server', [
      process.execPath,
      SERVER_SCRIPT,
      `--model-repository=${join(cache, 'repo')}`,
      '--model-control-mode=explicit',
      ...MODELS.map((model) => `--load-model=${model}`),
      '--http-address=127.0.0.1',
      '--grpc-address=127.0.0.1',
      `--http-port=${http}`,
      `--grpc-port=${port}`,
      `--metrics-port=${metrics}`,
      `--grpc-transport=${transport}`,
    ]),
  )
  const ready = `http://127.0.0.1:${http}/v2/health/ready`
  await until(running, async () => (await send({ url: ready })).status === 200)
  return { name: transport, model: MODELS[0], port, running }
}

const cache = await prepare()
const floor = await startFloor(cache)
const native = await startServer(cache, 'native')
const dynamic = { ...native, name: 'dynamic_batching', model: MODELS[1] }
const contenders = [floor, native, dynamic]
const rates = CASES.map(() => contenders.map((): number[] => []))
try {
  for (let round = 0; round < rounds; round++) {
    for (const [i, { connections, streams }] of CASES.entries()) {
      for (const [k, { port, model: name }] of contenders.entries()) {
        const load = { port, model: TINY, name, connections, streams, seconds, cache }
        rates[i]?.[k]?.push(await grpcLoad(load))
      }
    }
  }
} finally {
  await Promise.all([floor, native].map(({ running }) => running.stop()))
}

console.log(`medians of ${rounds} rounds of ${seconds} s, client h2load, answers per second\n`)
console.log('conn  streams     floor    nereid   dynamic  nereid/floor  dynamic/floor  asked for')
for (const [i, { connections, streams, target }] of CASES.entries()) {
  const [bare = 0, own = 0, joined = 0] = (rates[i] ?? []).map(median)
  const whole = (value: number): string => Math.round(value).toLocaleString('en-US').padStart(9)
  const share = (value: number): string => (value / bare).toFixed(2)
  console.log(
    `${String(connections).padStart(4)}  ${String(streams).padStart(7)} ${whole(bare)} ${whole(own)} ${whole(joined)}  ${share(own).padStart(12)}  ${share(joined).padStart(13)}  ${target === 0 ? '-' : target.toFixed(2)}`,
  )
}
const [sixteen, one64] = [rates[1]?.[1] ?? [], rates[3]?.[1] ?? []].map(median)
console.log(
  `\n64 streams on one connection / 16 connections: ${((one64 ?? 0) / (sixteen ?? 1)).toFixed(2)} (asked for 1.00)`,
)
