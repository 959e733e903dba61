import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildServer, ROOT, type Serving, serve, stopAll } from '../../targets/child.ts'
import { load } from './rig.ts'

const PYTHON = join(ROOT, '.cache/python/core/bin/python')
const NO_NUMPY = !existsSync(PYTHON)
if (NO_NUMPY) console.log('skipped: libraries that are missing (run test/python/setup.sh core)')

const MODELS = [
  ['estimator', 'model.skops', 'sklearn', 'scikit-learn'],
  ['script', 'model.pt', 'torch', 'torch'],
  ['saved', 'model.savedmodel/saved_model.pb', 'tensorflow', 'tensorflow-cpu'],
  ['texts', 'config.json', 'torch', 'torch transformers'],
] as const

describe.skipIf(NO_NUMPY)('a Python without the library of a model', () => {
  const repository = mkdtempSync(join(tmpdir(), 'nereid-missing-'))
  let server: Serving
  beforeAll(async () => {
    for (const [model, file] of MODELS) {
      const path = join(repository, model, '1', file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, '{}')
    }
    buildServer()
    server = await serve([
      `--model-repository=${repository}`,
      '--model-control-mode=explicit',
      `--backend-config=python,python-runtime=${PYTHON}`,
    ])
  })
  afterAll(async () => {
    await stopAll()
    rmSync(repository, { recursive: true, force: true })
  })

  test.each(MODELS)('says how to install it: %s with %s needs %s', async (model, _, name, pip) => {
    const error = await load(server, model)
    expect(error).toContain(`this model needs the Python package '${name}'`)
    expect(error).toContain(`${PYTHON} -m pip install ${pip}`)
  })
})
