import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer, serve, stopAll } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-telemetry-'))

const NO_CI = { CI: '', GITHUB_ACTIONS: '', TF_BUILD: '' }

beforeAll(buildServer)
afterAll(async () => {
  await stopAll()
  rmSync(folder, { recursive: true })
})

test.each(['ffi', 'node'])(
  'ONNX Runtime (%s) keeps no record of this machine and reports nothing',
  async (runtime) => {
    const temporary = join(folder, runtime)
    mkdirSync(temporary)
    const places = { TMPDIR: temporary, HOME: temporary, XDG_CACHE_HOME: temporary }
    // It is silent where CI is set, which users have not.
    const server = await serve([`--onnx-runtime=${runtime}`], { ...places, ...NO_CI })
    expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(200)
    server.process.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    expect(readdirSync(temporary, { recursive: true })).toEqual([])
  },
)
