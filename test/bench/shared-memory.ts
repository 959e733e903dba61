/**
 * `npx tsx test/bench/shared-memory.ts [SECONDS [ROUNDS]]`: 600 KB in and out over HTTP, in the body, in regions that are
 * copied and in regions that are mapped (`--shm-trust-clients`). Medians of answers per second and of the server's
 * processor time per answer, which a busy machine changes less, and how many times better than in the body both are.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEV_SHM } from '../../adapters/shared-memory/dev-shm.ts'
import { send } from '../helpers/http.ts'
import { generateLoad } from './load.ts'
import { prepare } from './make.ts'
import { BIG, inferBody, inputData, tensorBytes } from './models.ts'
import type { FixedTensor } from './ort.ts'
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

const cache = await prepare()
writeFileSync(join(DEV_SHM, key), Buffer.concat([...inputData(BIG), Buffer.alloc(bytes)]))
const servers: BenchServer[] = []
const shared = { repository: join(cache, 'repo'), models: [BIG.base], core: 'server' } as const
try {
  const copied = await startNereid({ ...shared, extra: ['--allow-client-shm=true'] })
  servers.push(copied)
  const mapped = await startNereid({
    ...shared,
    extra: ['--allow-client-shm=true', '--shm-trust-clients=true'],
  })
  servers.push(mapped)
  for (const { url } of servers) {
    const answer = await send({
      url: `${url}/v2/systemsharedmemory/region/bench/register`,
      method: 'POST',
      body: JSON.stringify({ key: `/${key}`, byte_size: 2 * bytes }),
    })
    if (answer.status !== 200) throw new Error(answer.body.toString())
  }
  for (const connections of CONNECTIONS) {
    const ways = [
      { way: 'in the body', server: copied, request: inferBody(BIG) },
      { way: 'in regions', server: copied, request: regionBody() },
      { way: 'in regions, mapped', server: mapped, request: regionBody() },
    ].map((one) => ({ ...one, rates: [] as number[], micros: [] as number[] }))
    for (let round = 0; round < rounds; round++) {
      for (const { server, request, rates, micros } of ways) {
        const target = `${server.url}/v2/models/${BIG.base}/infer`
        const load = { url: target, model: BIG, connections, seconds, cache, request }
        const before = cpuMicros(server.running.pid)
        const { rate } = await generateLoad(load)
        rates.push(rate)
        micros.push((cpuMicros(server.running.pid) - before) / (rate * seconds))
      }
    }
    const [first] = ways
    console.log(`${connections} connections`)
    for (const { way, rates, micros } of ways) {
      const gain = median(rates) / median(first?.rates ?? [])
      const saved = median(first?.micros ?? []) / median(micros)
      console.log(
        `  ${way}: ${Math.round(median(rates))}/s (${gain.toFixed(2)}), ${Math.round(median(micros))} us (${saved.toFixed(2)})`,
      )
    }
  }
} finally {
  await Promise.all(servers.map(({ running }) => running.stop()))
  rmSync(join(DEV_SHM, key))
}
