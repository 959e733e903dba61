import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchCase, Contender } from './cases.ts'
import { generateLoad } from './load.ts'
import { BIG, TINY } from './models.ts'
import { run } from './processes.ts'
import type { Measured } from './report.ts'
import {
  type BenchServer,
  findTriton,
  startFloor,
  startNereid,
  startTriton,
  type TritonFlags,
} from './servers.ts'

export interface MeasureOptions {
  readonly cases: readonly BenchCase[]
  readonly rounds: number
  readonly seconds: number
  readonly cache: string
  /** Where the run stands. */
  readonly progress: (text: string) => void
  /** A line that stays. */
  readonly say: (text: string) => void
}

const BARE_GRACE_MS = 60_000

/** Measures every case in every round with each contender in turn, so that a slow minute hits all of them. */
export async function measure(options: MeasureOptions): Promise<readonly Measured[]> {
  const light = options.cases.filter(({ reference }) => reference === 'floor')
  const heavy = options.cases.filter(({ reference }) => reference === 'bare')
  // Light models fill one thread; heavy ones may use every core, as the bare loop does.
  return [...(await group(light, options)), ...(await group(heavy, options))]
}

async function group(
  cases: readonly BenchCase[],
  options: MeasureOptions,
): Promise<readonly Measured[]> {
  if (cases.length === 0) return []
  const { cache, rounds, seconds } = options
  const servers: BenchServer[] = []
  const kept = <T extends BenchServer | undefined>(server: T): T => {
    if (server !== undefined) servers.push(server)
    return server
  }
  try {
    const light = cases[0]?.reference === 'floor'
    const flags: TritonFlags = {
      repository: join(cache, 'repo'),
      models: [...new Set(cases.map(({ model }) => model))],
      core: light ? 'server' : 'any',
    }
    const floors = new Map<string, BenchServer>()
    for (const model of light ? [TINY, BIG] : []) {
      floors.set(model.base, kept(await startFloor(model, cache)))
    }
    const nereid = kept(await startNereid(flags))
    const path = findTriton()
    if (path === undefined)
      options.say('Triton is not installed (TRITONSERVER names its wrapper): left out')
    // Triton gets every core: its threads are what it is.
    const triton = path && kept(await startTriton(path, { ...flags, core: 'any' }))
    if (path !== undefined && !triton) options.say(`${path} has no ONNX backend: left out`)

    const contenders: readonly [Contender, ((bench: BenchCase) => string | undefined) | 'bare'][] =
      [
        light ? ['floor', (bench) => floors.get(bench.base.base)?.url] : ['bare', 'bare'],
        ['nereid', () => nereid.url],
        ...(triton ? [['triton', () => triton.url] as [Contender, () => string]] : []),
      ]
    const rates = cases.map(() => new Map<Contender, number[]>())
    let step = 0
    for (let round = 0; round < rounds; round++) {
      for (const [i, bench] of cases.entries()) {
        for (const [contender, url] of contenders) {
          step++
          options.progress(
            `${step} of ${rounds * cases.length * contenders.length}: ${bench.name}, ${bench.connections} connections, ${contender}`,
          )
          const rate =
            url === 'bare'
              ? await bareRate(bench, cache, seconds)
              : await serverRate(url(bench) ?? '', bench, cache, seconds)
          const list = rates[i]?.get(contender) ?? []
          list.push(rate)
          rates[i]?.set(contender, list)
        }
      }
    }
    return cases.map((bench, i) => ({ case: bench, rates: Object.fromEntries(rates[i] ?? []) }))
  } finally {
    await Promise.all(servers.map(({ running }) => running.stop()))
  }
}

async function serverRate(
  base: string,
  bench: BenchCase,
  cache: string,
  seconds: number,
): Promise<number> {
  const url = `${base}/v2/models/${bench.model}/infer`
  return (
    await generateLoad({ url, model: bench.base, connections: bench.connections, seconds, cache })
  ).rate
}

async function bareRate(bench: BenchCase, cache: string, seconds: number): Promise<number> {
  const script = fileURLToPath(new URL('bare.ts', import.meta.url))
  const path = join(cache, 'onnx', `${bench.base.base}.onnx`)
  const args = [script, path, bench.base.base, String(bench.parallel), String(seconds)]
  const output = await run(
    [process.execPath, '--import', 'tsx', ...args],
    seconds * 1000 + BARE_GRACE_MS,
  )
  return Number(output.trim().split('\n').at(-1))
}
