/**
 * `npm run drill -- NAME|all [--profile ci|long] [--seed N] [--json FILE]`: exercises that would break this server's
 * promises, against the built server. Prints a table, then `N passed, N failed`; not 0 when a promise was broken.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildServer, stopAll } from '../targets/child.ts'
import { answers } from './answers.ts'
import { drain } from './drain.ts'
import type { Drill, DrillContext, Figure, Profile } from './drill.ts'
import { kept } from './drill.ts'
import { limits } from './limits.ts'
import { neighbours } from './neighbours.ts'
import { overload } from './overload.ts'
import { peers } from './peers.ts'
import { probes } from './probes.ts'
import { reload } from './reload.ts'
import { soak } from './soak.ts'
import { storm } from './storm.ts'
import { drillTable } from './table.ts'
import { worker } from './worker.ts'

const DRILLS: readonly Drill[] = [
  reload,
  answers,
  storm,
  peers,
  neighbours,
  limits,
  probes,
  overload,
  drain,
  worker,
  soak,
]
/** Notes of one drill that are printed; a broken promise is often broken a thousand times. */
const MAX_NOTES = 10

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    profile: { type: 'string', default: 'ci' },
    seed: { type: 'string', default: '' },
    json: { type: 'string', default: '' },
  },
})
const profile = values.profile as Profile
const wanted = positionals.length === 0 ? ['all'] : positionals
const chosen = DRILLS.filter(({ name }) => wanted.includes('all') || wanted.includes(name))
const unknown = wanted.filter((name) => name !== 'all' && !DRILLS.some((d) => d.name === name))
const seed = values.seed === '' ? Date.now() % 2 ** 32 : Number(values.seed)
if (unknown.length > 0 || !['ci', 'long'].includes(profile) || !Number.isInteger(seed)) {
  const names = DRILLS.map(({ name }) => name).join('|')
  console.error(`usage: drill ${names}|all [--profile ci|long] [--seed INTEGER] [--json FILE]`)
  process.exit(2)
}
if (process.platform !== 'linux') {
  console.log('skipped: the drills read /proc, so they need Linux')
  console.log('0 passed, 0 failed')
  process.exit(0)
}

interface Result {
  readonly drill: string
  readonly promise: string
  readonly seconds: number
  readonly passed: boolean
  readonly figures: readonly Figure[]
  readonly notes: readonly string[]
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

async function perform(drill: Drill): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), `drill-${drill.name}-`))
  const start = performance.now()
  const notes: string[] = []
  const context: DrillContext = {
    profile,
    seed,
    folder,
    progress: (text) => showProgress(`${drill.name}: ${text}`),
    note: (text) => {
      if (notes.length < MAX_NOTES) notes.push(text)
    },
  }
  let figures: readonly Figure[] = []
  let thrown = false
  try {
    figures = await drill.run(context)
  } catch (error) {
    thrown = true
    notes.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    await stopAll()
    rmSync(folder, { recursive: true, force: true })
    showProgress('')
  }
  const seconds = (performance.now() - start) / 1000
  const passed = !thrown && figures.every(kept)
  return { drill: drill.name, promise: drill.promise, seconds, passed, figures, notes }
}

buildServer()
console.log(`profile ${profile}, seed ${seed}, node ${process.version}`)
const results: Result[] = []
for (const drill of chosen) {
  const result = await perform(drill)
  results.push(result)
  console.log(`\n${drillTable(result)}`)
  for (const note of result.notes) console.log(`  ! ${note}`)
}
if (values.json !== '') {
  writeFileSync(values.json, JSON.stringify({ profile, seed, results }, null, 1))
}
const passed = results.filter((result) => result.passed).length
console.log(`\n${passed} passed, ${results.length - passed} failed`)
process.exitCode = passed === results.length ? 0 : 1
