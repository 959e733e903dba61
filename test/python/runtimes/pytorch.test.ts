import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Serving, stopAll } from '../../targets/child.ts'
import { configOf, expectAll, load, type Made, MISSING, make, START_MS, serveMade } from './rig.ts'

describe.skipIf(MISSING !== '')('PyTorch models without code', () => {
  let made: Made
  let server: Serving
  beforeAll(async () => {
    made = make('make_pytorch.py')
    server = await serveMade(
      made,
      made.cases.map(({ model }) => model),
    )
  }, START_MS)
  afterAll(async () => {
    await stopAll()
    made.remove()
  })

  test('say what PyTorch says, inputs and outputs named by argument, by index, by order or by call', async () => {
    await expectAll(server, made.cases)
  })

  test('of torch.export complete their config from the program', async () => {
    expect(await configOf(server, 'program')).toMatchObject({
      backend: 'pytorch',
      max_batch_size: 64,
      input: [
        { name: 'INPUT__0', data_type: 'TYPE_FP32', dims: [4] },
        { name: 'INPUT__1', data_type: 'TYPE_FP32', dims: [3] },
      ],
      output: [
        { name: 'OUTPUT__0', data_type: 'TYPE_FP32', dims: [3] },
        { name: 'OUTPUT__1', data_type: 'TYPE_FP32', dims: [3] },
      ],
    })
  })

  test(
    'do not load where config and arguments differ, or where the file is weights alone',
    async () => {
      expect(await load(server, 'too_few')).toContain(
        "unable to load model 'too_few', configuration expects 1 inputs, model provides 2",
      )
      expect(await load(server, 'weights')).toContain(
        "'model.pt' is no TorchScript file (torch.jit.save)",
      )
    },
    START_MS,
  )

  test(
    'run no pickle of a torch.export program',
    async () => {
      const error = await load(server, 'evil')
      expect(error).toContain("'model.pt2' has pickled objects, which can run any code")
      expect(error).toContain('--backend-config=pytorch,allow-pickle=true')
      expect(existsSync(join(made.folder, 'ran'))).toBe(false)
    },
    START_MS,
  )
})
