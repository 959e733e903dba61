import { spawnSync } from 'node:child_process'
import { afterAll, expect, test } from 'vitest'
import { compileStandIn, NO_STANDIN } from './standin.ts'

const standIn = NO_STANDIN === undefined ? compileStandIn() : undefined
afterAll(() => standIn?.remove())

const LOAD = `
import { openNeuronRuntime } from './native/neuron/runtime.ts'
const nrt = openNeuronRuntime(process.env.LIBRARY)
const io = 'input X 10 4 1 4\\noutput Y 10 4 1 4'
const load = (op) => nrt.load(new TextEncoder().encode('NEFFSTANDIN 1\\nop ' + op + '\\n' + io), 0)
await nrt.init()
`
const RUN = `
const model = await load('sleep 300')
const [x, y] = [await nrt.tensor(0, 16, 'X'), await nrt.tensor(0, 16, 'Y')]
const [inputs, outputs] = [await nrt.tensorSet(new Map([['X', x]])), await nrt.tensorSet(new Map([['Y', y]]))]
const run = new Promise((resolve) => nrt.execute(model.pointer, inputs, outputs, resolve))
await new Promise((resolve) => setTimeout(resolve, 100))
`

// What the other tests of the backend rely on: whoever breaks a rule of the runtime does not get away with it.
test.skipIf(standIn === undefined).each([
  [
    'a model is unloaded twice',
    "const m = await load('identity 0'); await nrt.unload(m); await nrt.unload(m)",
    'nrt_unload: a model that was freed is used',
  ],
  [
    'a tensor is freed twice',
    "const t = await nrt.tensor(0, 8, 'X'); await nrt.freeTensor(t); await nrt.freeTensor(t)",
    'nrt_tensor_free: a tensor that was freed is used',
  ],
  [
    'a tensor is freed before its set',
    "const t = await nrt.tensor(0, 8, 'X'); await nrt.tensorSet(new Map([['X', t]])); await nrt.freeTensor(t)",
    'nrt_tensor_free: a tensor is freed before the set that it is in',
  ],
  [
    'a model is unloaded while it runs',
    `${RUN} await nrt.unload(model)`,
    'nrt_unload: freed while it is in use',
  ],
  [
    'an input is overwritten while it is read',
    `${RUN} const m = nrt.allocate(16); nrt.write(x, m.address, 16, () => {}); await run`,
    'nrt_tensor_write: a tensor is moved while something else uses it',
  ],
  [
    'a model is left behind',
    "await load('identity 0'); await nrt.close()",
    'nrt_close: 1 of kind model left behind',
  ],
])('the stand-in ends the process when %s', (_, script, text) => {
  const { signal, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', LOAD + script],
    { env: { ...process.env, LIBRARY: standIn?.path }, encoding: 'utf8' },
  )
  expect(stderr).toContain(text)
  expect(signal).toBe('SIGABRT')
})
