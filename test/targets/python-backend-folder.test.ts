import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ROOT, serve, start, stopAll } from './child.ts'

const python = join(ROOT, '.cache/python/core/bin/python')
const missing = existsSync(python) ? '' : ` (skipped: there is no ${python})`

const folder = mkdtempSync(join(tmpdir(), 'nereid-python-backend-'))
const models = join(folder, 'models')
const FLAGS = [
  `--backend-directory=${join(folder, 'backends')}`,
  `--backend-config=python,python-runtime=${python}`,
]

/** Multiplies by what the model's folder says. */
const BACKEND = `
import os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.set_max_batch_size(4)
        config.add_input({"name": "IN", "data_type": "TYPE_FP32", "dims": [2]})
        config.add_output({"name": "OUT", "data_type": "TYPE_FP32", "dims": [2]})
        return config

    def initialize(self, args):
        path = os.path.join(args["model_repository"], args["model_version"], "factor.txt")
        with open(path) as file:
            self.factor = np.float32(file.read())

    def execute(self, requests):
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor("OUT", pb_utils.get_input_tensor_by_name(r, "IN").as_numpy() * self.factor)]
            )
            for r in requests
        ]
`

beforeAll(() => {
  const files = {
    'backends/times/model.py': BACKEND,
    'models/double/config.pbtxt': 'backend: "times"',
    'models/double/1/factor.txt': '2',
    'models/triple/config.pbtxt': 'backend: "times"',
    'models/triple/1/factor.txt': '3',
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
})
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true }))

test.skipIf(missing !== '')(
  `a backend written in Python is a folder in --backend-directory that serves any number of models${missing}`,
  async () => {
    const server = await serve([`--model-repository=${models}`, ...FLAGS])
    for (const [model, data] of [
      ['double', [6, 8]],
      ['triple', [9, 12]],
    ] as const) {
      const body = JSON.stringify({
        inputs: [{ name: 'IN', datatype: 'FP32', shape: [1, 2], data: [3, 4] }],
      })
      const answer = await fetch(`${server.url}/v2/models/${model}/infer`, { method: 'POST', body })
      expect(await answer.json()).toMatchObject({ outputs: [{ name: 'OUT', data }] })
    }
    expect(server.log()).toContain("backend 'times' is written in Python")
  },
)

test.skipIf(missing !== '')(`nereid check runs it with --load only${missing}`, async () => {
  const plain = await start(['check', models, ...FLAGS]).ended
  expect(plain.out).toMatch(/^warning: double version 1: .*only known when its code runs/m)
  const loaded = await start(['check', '--load', models, ...FLAGS]).ended
  expect([loaded.out, loaded.code]).toEqual(['', 0])
})
