import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildServer, ROOT, type Serving, serve, stopAll } from '../../targets/child.ts'
import { ask, configOf, load, START_MS } from './rig.ts'

const PYTHON = join(ROOT, '.cache/python/core/bin/python')
const NO_NUMPY = !existsSync(PYTHON)
if (NO_NUMPY) console.log('skipped: TensorRT plans (run test/python/setup.sh core)')
/** No GPU here: modules of the same names stand for TensorRT and CUDA. */
const STAND_INS = { PYTHONPATH: join(ROOT, 'test/python/runtimes/stand_ins') }
const PLAN = JSON.stringify({ shape: [-1, 3], most: [16, 4] })

function plans(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-plans-'))
  for (const [model, plan] of [
    ['twice', PLAN],
    ['broken', 'no plan'],
  ] as const) {
    mkdirSync(join(folder, model, '1'), { recursive: true })
    writeFileSync(join(folder, model, '1', 'model.plan'), plan)
  }
  return folder
}

describe.skipIf(NO_NUMPY)('TensorRT plans', () => {
  let repository: string
  const start = (env: Record<string, string>): Promise<Serving> =>
    serve(
      [
        `--model-repository=${repository}`,
        '--model-control-mode=explicit',
        `--backend-config=python,python-runtime=${PYTHON}`,
      ],
      env,
    )
  beforeAll(() => {
    buildServer()
    repository = plans()
  })
  afterAll(async () => {
    await stopAll()
    rmSync(repository, { recursive: true, force: true })
  })

  test(
    'say what to install where TensorRT is not there',
    async () => {
      const error = await load(await start({}), 'twice')
      expect(error).toContain("this model needs the Python package 'tensorrt'")
      expect(error).toContain('-m pip install tensorrt cuda-python')
    },
    START_MS,
  )

  test(
    'are described, batched within their profile, and run on the GPU of their instance',
    async () => {
      const server = await start(STAND_INS)
      const group = { instance_group: [{ kind: 'KIND_MODEL', count: 1 }] }
      expect(await load(server, 'twice', group)).toBe('')
      expect(await configOf(server, 'twice')).toMatchObject({
        platform: 'tensorrt_plan',
        max_batch_size: 16,
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }],
        output: [{ name: 'twice', data_type: 'TYPE_FP32', dims: [3] }],
      })
      const data = [1, 2, 3, 4, 5, 6]
      const answer = await ask(server, 'twice', [
        { name: 'x', datatype: 'FP32', shape: [2, 3], data },
      ])
      expect(answer).toBeInstanceOf(Map)
      expect((answer as Map<string, unknown>).get('twice')).toMatchObject({
        shape: [2, 3],
        data: [2, 4, 6, 8, 10, 12],
      })
    },
    START_MS,
  )

  test(
    'take the optimization profile of their instance group, and say what it allows',
    async () => {
      const server = await start(STAND_INS)
      const group = { instance_group: [{ kind: 'KIND_MODEL', name: 'second', profile: ['1'] }] }
      expect(await load(server, 'twice', group)).toBe('')
      const data = Array(15).fill(1)
      const answer = await ask(server, 'twice', [
        { name: 'x', datatype: 'FP32', shape: [5, 3], data },
      ])
      expect(answer).toContain(
        "input 'x' of shape [5, 3] is not within [1, 3] to [4, 3], the range of optimization profile 1",
      )
    },
    START_MS,
  )

  test(
    'do not load on a processor, nor where they cannot be read',
    async () => {
      const server = await start(STAND_INS)
      const cpu = { instance_group: [{ kind: 'KIND_CPU' }] }
      expect(await load(server, 'twice', cpu)).toContain('TensorRT runs on GPUs only')
      expect(await load(server, 'broken')).toContain("TensorRT stand-in cannot read 'model.plan'")
    },
    START_MS,
  )
})
