/**
 * `npx tsx test/bench/python.ts [SECONDS [ROUNDS]]`: a `model.py` that answers what it is asked, on this server and on the real Triton
 * (`TRITONSERVER` names its wrapper), one instance each, 1 and 16 connections. Rounds are interleaved; medians of answers per second.
 * `PYTHON` names the Python with numpy of this server's workers (default `.cache/python/core/bin/python`).
 */

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildServer } from '../targets/child.ts'
import { generateLoad } from './load.ts'
import { TINY } from './models.ts'
import { median } from './report.ts'
import { type BenchServer, findTriton, startNereid, startTriton } from './servers.ts'

const seconds = Number(process.argv[2] ?? 3)
const rounds = Number(process.argv[3] ?? 5)
const CONNECTIONS = [1, 16]
const SIZES = [16, 16_384]
const MODEL = 'identity'
const root = fileURLToPath(new URL('../..', import.meta.url))
const repository = join(root, 'test/fixtures/python/repository')
const python = process.env['PYTHON'] ?? join(root, '.cache/python/core/bin/python')
const cache = join(root, '.cache/bench')

/** So many FP32 numbers, as bytes both ways. */
function request(count: number): { body: Uint8Array; headerLength: number } {
  const data = new Uint8Array(new Float32Array(count).fill(0.5).buffer)
  const header = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: 'INPUT0',
          datatype: 'FP32',
          shape: [count],
          parameters: { binary_data_size: data.length },
        },
      ],
      outputs: [{ name: 'OUTPUT0', parameters: { binary_data: true } }],
    }),
  )
  return { body: Buffer.concat([header, data]), headerLength: header.length }
}

interface Row {
  readonly size: number
  readonly connections: number
  readonly rates: Map<string, number[]>
}

if (!existsSync(python)) {
  console.log(`skipped: no ${python} (test/python/setup.sh core makes it)`)
  process.exit(0)
}
buildServer()
mkdirSync(cache, { recursive: true })
// Both get every core: a server and its workers are several processes.
const flags = { repository, models: [MODEL], core: 'any' } as const
const contenders = new Map<string, BenchServer>()
const rows: Row[] = SIZES.flatMap((size) =>
  CONNECTIONS.map((connections) => ({ size, connections, rates: new Map() })),
)
try {
  const extra = [`--backend-config=python,python-runtime=${python}`, '--overload-lag-ms=0']
  contenders.set('nereid', await startNereid({ ...flags, extra }))
  const path = findTriton()
  const triton = path && (await startTriton(path, flags))
  if (triton) contenders.set('triton', triton)
  else console.log('Triton with its Python backend is not installed (TRITONSERVER): left out')
  for (let round = 0; round < rounds; round++) {
    for (const { size, connections, rates } of rows) {
      for (const [name, { url }] of contenders) {
        const { rate } = await generateLoad({
          url: `${url}/v2/models/${MODEL}/infer`,
          model: TINY,
          request: request(size),
          connections,
          seconds,
          cache,
        })
        rates.set(name, [...(rates.get(name) ?? []), rate])
      }
    }
  }
} finally {
  await Promise.all([...contenders.values()].map(({ running }) => running.stop()))
}

console.log('| FP32 numbers | connections | triton | nereid | nereid / triton |')
console.log('|---|---|---|---|---|')
for (const { size, connections, rates } of rows) {
  const [triton, nereid] = ['triton', 'nereid'].map((name) => median(rates.get(name) ?? []))
  const told = [triton, nereid].map((rate) => (rate ? Math.round(rate).toLocaleString('en') : '–'))
  const ratio = triton && nereid ? (nereid / triton).toFixed(2) : '–'
  console.log(`| ${size} | ${connections} | ${told.join(' | ')} | ${ratio} |`)
}
