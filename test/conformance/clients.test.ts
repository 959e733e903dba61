import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../clients/run.sh', import.meta.url))
const wanted = process.env['NEREID_CLIENT_TESTS'] === '1'
const RUN_MS = 600_000

if (!wanted) {
  console.log(
    'skipped: tritonclient and perf_analyzer against the built server, because they install a Python ' +
      'environment; run test/clients/run.sh, or set NEREID_CLIENT_TESTS=1',
  )
}

it.skipIf(!wanted)(
  'serves the unmodified Python clients and perf_analyzer',
  () => {
    const done = spawnSync(script, { encoding: 'utf8', timeout: RUN_MS })
    expect(done.status, done.stdout + done.stderr).toBe(0)
    expect(done.stdout).toMatch(/^\d+ passed, 0 failed/m)
  },
  RUN_MS,
)
