import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer, ROOT, start, stopAll } from './child.ts'

const PYTHON = join(ROOT, '.cache/python/core/bin/python')
const NO_NUMPY = !existsSync(PYTHON)
if (NO_NUMPY)
  console.log('skipped: a Python model that cannot start (run test/python/setup.sh core)')

const CODE = `class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({"name": "a", "data_type": "TYPE_FP32", "dims": [1]})
        config.add_output({"name": "b", "data_type": "TYPE_FP32", "dims": [1]})
        return config

    def initialize(self, args):
        raise RuntimeError("there is no licence")

    def execute(self, requests):
        return []
`
const repository = mkdtempSync(join(tmpdir(), 'nereid-start-'))
beforeAll(() => {
  buildServer()
  mkdirSync(join(repository, 'locked', '1'), { recursive: true })
  writeFileSync(join(repository, 'locked', '1', 'model.py'), CODE)
})
afterAll(async () => {
  await stopAll()
  rmSync(repository, { recursive: true, force: true })
})

test.skipIf(NO_NUMPY)(
  'a server whose only model raises while it starts says why, and fails',
  async () => {
    const { ended } = start([
      `--model-repository=${repository}`,
      '--http-address=127.0.0.1',
      '--http-port=0',
      '--allow-grpc=false',
      '--allow-metrics=false',
      `--backend-config=python,python-runtime=${PYTHON}`,
    ])
    const { code, log } = await ended
    expect(log).toContain('there is no licence')
    expect(code).not.toBe(0)
  },
)
