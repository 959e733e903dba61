/**
 * `npm run bench [-- --rounds 3 --seconds 3 --only tiny --json FILE]`: this server beside its floor, a bare ONNX Runtime
 * loop and the real Triton, in one run on one machine. Rounds are interleaved; the table shows medians.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BENCH_CASES, IDLE_MB, START_SECONDS, WINDOW_BATCH } from './cases.ts'
import { LOAD_CLIENT } from './load.ts'
import { prepare } from './make.ts'
import { measure } from './measure.ts'
import { hasProgram } from './processes.ts'
import { type Figure, median, table } from './report.ts'
import { measureStartup, type Startup } from './startup.ts'
import { meanBatch } from './window.ts'

// Inherited by every contender: none spends time on reporting events.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    json: { type: 'string', default: '' },
  },
})
const rounds = positive('--rounds', values.rounds)
const seconds = positive('--seconds', values.seconds)
const wanted = (name: string): boolean => name.includes(values.only)

function positive(flag: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`${flag} must be a number above 0, got ${text}`)
  return number
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

const cache = await prepare(progress)
if (!hasProgram('wrk'))
  console.log('wrk is not installed (Debian: apt install wrk): client.ts measures instead')

const cases = BENCH_CASES.filter(({ name }) => wanted(name))
const measured = await measure({ cases, rounds, seconds, cache, progress, say: console.log })

const figures: Figure[] = []
if (wanted('window')) {
  progress('batches in a window')
  const value = await meanBatch({ cache, seconds })
  figures.push({
    name: 'window of 1000 us, 16 clients: mean executed batch',
    value,
    unit: 'rows',
    limit: WINDOW_BATCH,
    least: true,
  })
}
if (wanted('start')) {
  const starts: Startup[] = []
  for (let i = 0; i < rounds; i++) {
    progress(`start ${i + 1} of ${rounds}`)
    starts.push(await measureStartup(cache))
  }
  const of = (key: 'seconds' | 'idleMb'): number => median(starts.map((start) => start[key]))
  figures.push(
    {
      name: 'start to first answer',
      value: of('seconds'),
      unit: 's',
      limit: START_SECONDS,
      least: false,
    },
    { name: 'idle memory', value: of('idleMb'), unit: 'MB', limit: IDLE_MB, least: false },
  )
}
progress('')
console.log(
  `medians of ${rounds} rounds of ${seconds} s, client ${LOAD_CLIENT}, answers per second\n`,
)
console.log(table(measured, figures))
if (values.json !== '') writeFileSync(values.json, JSON.stringify({ measured, figures }, null, 1))
