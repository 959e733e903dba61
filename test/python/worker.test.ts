import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const here = dirname(fileURLToPath(import.meta.url))
const folder = join(here, 'worker')
const python = join(here, '../../.cache/python/core/bin/python')
const installed = existsSync(python)
if (!installed)
  console.warn(`the Python worker is not tested: no ${python} (test/python/setup.sh core)`)

const modules = readdirSync(folder).filter((name) => /^test_.*\.py$/.test(name))

describe.skipIf(!installed).concurrent('the Python worker', () => {
  test.for(modules)('passes %s', { timeout: 240_000 }, async (name) => {
    const run = promisify(execFile)(python, ['-m', 'unittest', name.replace(/\.py$/, '')], {
      cwd: folder,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    })
    const text = await run.then(
      ({ stderr }) => stderr,
      (error: { stderr: string }) => error.stderr,
    )
    expect(text).toMatch(/^Ran \d+ tests in .*\n\nOK\b/m)
  })
})
