/**
 * `npx tsx test/bench/shared-memory.ts [SECONDS [ROUNDS]]`: 600 KB in and out over gRPC (client: `h2load`) and HTTP, in the body, in
 * regions that are copied and in regions that are mapped (`--shm-trust-clients`). Medians of answers per second and of the server's
 * processor time per answer, which a busy machine changes less, and how many times better than in the body both are.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEV_SHM } from '../../adapters/shared-memory/dev-shm.ts'
import { freePort } from '../helpers/free-port.ts'
import { send } from '../helpers/http.ts'
import { inferMessage, regionMessage } from './grpc-message.ts'
import { grpcLoad } from './h2load.ts'
import { generateLoad } from './load.ts'
import { prepare } from './make.ts'
import { BIG, inferBody, inputData, tensorBytes } from './models.ts'
import type { FixedTensor } from './ort.ts'
import { hasProgram } from './processes.ts'
import { median } from './report.ts'
import { type BenchServer, startNereid } from './servers.ts'

process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

const seconds = Number(process.argv[2] ?? 2)
const rounds = Number(process.argv[3] ?? 3)
const CONNECTIONS = [1, 8]
const [input] = BIG.inputs as [FixedTensor]
const [output] = BIG.outputs as [FixedTensor]
const bytes = tensorBytes(input)
const key = `bench-${process.pid}`

function regionBody(): { body: Uint8Array; headerLength: number } {
  const region = (at: number) => ({
    shared_memory_region: 'bench',
    shared_memory_offset: at,
    shared_memory_byte_size: bytes,
  })
  const body = Buffer.from(
    JSON.stringify({
      inputs: [{ ...input, parameters: region(0) }],
      outputs: [{ name: output.name, parameters: region(bytes) }],
    }),
  )
  return { body, headerLength: body.length }
}

/** Processor time of a process so far, microseconds. */
function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  const ticksPerSecond = 100
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6
}

/** The places of {@link regionBody}, in a message of gRPC. */
function regionCall(): Uint8Array {
  const place = (offset: number) => ({ region: 'bench', offset, byteSize: bytes })
  return regionMessage(BIG, BIG.base, { input: place(0), output: place(bytes) })
}

interface Contender extends BenchServer {
  readonly grpcPort: number
}

const cache = await prepare()
writeFileSync(join(DEV_SHM, key), Buffer.concat([...inputData(BIG), Buffer.alloc(bytes)]))
const servers: Contender[] = []

async function startContender(...flags: readonly string[]): Promise<Contender> {
  const grpcPort = await freePort()
  const server = await startNereid({
    repository: join(cache, 'repo'),
    models: [BIG.base],
    core: 'server',
    extra: ['--allow-client-shm=true', '--allow-grpc=true', `--grpc-port=${grpcPort}`, ...flags],
  })
  const contender = { ...server, grpcPort }
  servers.push(contender)
  const answer = await send({
    url: `${server.url}/v2/systemsharedmemory/region/bench/register`,
    method: 'POST',
    body: JSON.stringify({ key: `/${key}`, byte_size: 2 * bytes }),
  })
  if (answer.status !== 200) throw new Error(answer.body.toString())
  return contender
}

/** Answers per second of one round. */
type Round = (server: Contender, connections: number) => Promise<number>

function overHttp(request: ReturnType<typeof inferBody>): Round {
  return async ({ url }, connections) => {
    const target = `${url}/v2/models/${BIG.base}/infer`
    const load = { url: target, model: BIG, connections, seconds, cache, request }
    return (await generateLoad(load)).rate
  }
}

function overGrpc(message: Uint8Array): Round {
  return ({ grpcPort: port }, connections) =>
    grpcLoad({ port, model: BIG, name: BIG.base, connections, streams: 1, seconds, cache, message })
}

async function compare(
  door: string,
  connections: number,
  ways: readonly { readonly way: string; readonly server: Contender; readonly round: Round }[],
): Promise<void> {
  const figures = ways.map(() => ({ rates: [] as number[], micros: [] as number[] }))
  for (let i = 0; i < rounds; i++) {
    for (const [at, { server, round }] of ways.entries()) {
      const before = cpuMicros(server.running.pid)
      const rate = await round(server, connections)
      figures[at]?.rates.push(rate)
      figures[at]?.micros.push((cpuMicros(server.running.pid) - before) / (rate * seconds))
    }
  }
  const [first] = figures
  console.log(`${door}, ${connections} connections`)
  for (const [at, { rates, micros }] of figures.entries()) {
    const gain = median(rates) / median(first?.rates ?? [])
    const saved = median(first?.micros ?? []) / median(micros)
    console.log(
      `  ${ways[at]?.way}: ${Math.round(median(rates))}/s (${gain.toFixed(2)}), ${Math.round(median(micros))} us (${saved.toFixed(2)})`,
    )
  }
}

try {
  const copied = await startContender()
  const mapped = await startContender('--shm-trust-clients=true')
  const doors = [
    {
      door: 'gRPC',
      inBody: overGrpc(inferMessage(BIG, BIG.base)),
      inRegions: overGrpc(regionCall()),
    },
    { door: 'HTTP', inBody: overHttp(inferBody(BIG)), inRegions: overHttp(regionBody()) },
  ].filter(({ door }) => door === 'HTTP' || hasProgram('h2load'))
  for (const { door, inBody, inRegions } of doors) {
    for (const connections of CONNECTIONS) {
      await compare(door, connections, [
        { way: 'in the body', server: copied, round: inBody },
        { way: 'in regions', server: copied, round: inRegions },
        { way: 'in regions, mapped', server: mapped, round: inRegions },
      ])
    }
  }
} finally {
  await Promise.all(servers.map(({ running }) => running.stop()))
  rmSync(join(DEV_SHM, key))
}
