import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { identityBackend } from '../../../core/backend/identity.ts'
import type { Backend } from '../../../core/backend/types.ts'
import { checkRepositories } from '../../../core/check/check-repositories.ts'
import type { CheckOptions, Finding } from '../../../core/check/types.ts'
import { FIXTURES, realClock } from '../../adapters/backends/onnx-fixtures.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'

const onnx = await onnxBackend({ clock: realClock })
afterAll(() => onnx.close?.())

const ADD_SUB = readFileSync(join(FIXTURES, 'add_sub.onnx'))
const ECHO = `backend: "identity"
max_batch_size: 4
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] } ]
`

/** A repository of these files; what is a string is text. */
function check(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<CheckOptions> = {},
) {
  const bytes = new Map(
    Object.entries(files).map(([path, content]) => [
      path,
      typeof content === 'string' ? new TextEncoder().encode(content) : content,
    ]),
  )
  const backends: Backend[] = [onnx, identityBackend({ clock: realClock })]
  return checkRepositories({
    stores: [memoryStore({ files: bytes })],
    backends: new Map(backends.map((backend) => [backend.name, backend])),
    backendConfig: new Map(),
    autoComplete: true,
    configName: '',
    mayOpen: () => true,
    ...options,
  })
}

/** `model: severity: place message` */
const lines = (findings: readonly Finding[]): string[] =>
  findings.map(({ model, severity, file, line, column, message, hint }) => {
    const place = file === '' ? '' : `${file}${line === 0 ? '' : `:${line}:${column}`} `
    return `${model}: ${severity}: ${place}${message}${hint === '' ? '' : ` (${hint})`}`
  })

test('a repository in order has no findings', async () => {
  const { findings, models } = await check({
    'echo/config.pbtxt': ECHO,
    'echo/1/x': '',
    'add_sub/1/model.onnx': ADD_SUB,
  })
  expect(lines(findings)).toEqual([])
  expect(models).toEqual(['add_sub', 'echo'])
})

test('every mistake in a config is told with its place, not the first alone', async () => {
  const { findings } = await check({
    'm/1/x': '',
    'm/config.pbtxt': `backend: "identity"
max_batch_size: 4
inptu [ { name: "IN" } ]
input [ { name: "IN" data_type: TYPE_FP31 dims: [ 2 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ "two" ] } ]
instance_group [ { kind: KIND_TPU } ]
`,
  })
  expect(lines(findings)).toEqual([
    expect.stringMatching(/^m: error: m\/config.pbtxt:3:1 .*unknown field 'inptu'.*'input'/),
    expect.stringMatching(/^m: error: m\/config.pbtxt:4:\d+ .*TYPE_FP31.*did you mean 'TYPE_FP32'/),
    expect.stringMatching(/^m: error: m\/config.pbtxt:5:\d+ .*expected an integer/),
    expect.stringMatching(/^m: error: m\/config.pbtxt:6:\d+ .*KIND_TPU/),
  ])
})

test('every rule that a config breaks is told, each tensor by itself', async () => {
  const { findings } = await check({
    'm/1/x': '',
    'm/config.pbtxt': `name: "other"
backend: "identity"
max_batch_size: -1
input [
  { name: "A" dims: [ 2 ] },
  { name: "B" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "C" data_type: TYPE_FP32 dims: [ -3 ] },
  { name: "B" data_type: TYPE_FP32 dims: [ 2 ] }
]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] } ]
`,
  })
  const found = lines(findings)
  expect(found).toContainEqual(
    expect.stringMatching(/config.pbtxt:1:1 unexpected directory name 'm'/),
  )
  expect(found).toContainEqual(expect.stringMatching(/config.pbtxt:3:1 'max_batch_size' must be/))
  const fixed = await check({
    'm/1/x': '',
    'm/config.pbtxt': `backend: "identity"
input [
  { name: "A" dims: [ 2 ] },
  { name: "B" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "C" data_type: TYPE_FP32 dims: [ -3 ] },
  { name: "B" data_type: TYPE_FP32 dims: [ 2 ] }
]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] } ]
instance_group [ { count: 1 kind: KIND_CPU gpus: [ 0 ] }, { kind: KIND_GPU } ]
`,
  })
  expect(lines(fixed.findings)).toEqual([
    expect.stringMatching(/config.pbtxt:3:3 model input 'A' must specify 'data_type'/),
    expect.stringMatching(/config.pbtxt:5:3 model input 'C' dimension must be/),
    expect.stringMatching(/config.pbtxt:6:3 model input 'B' is specified more than once/),
    expect.stringMatching(/config.pbtxt:9:18 .*KIND_CPU but specifies one or more GPUs/),
    expect.stringMatching(/config.pbtxt:9:\d+ .*KIND_GPU but no GPUs are available/),
  ])
})

test('what a config and its model file do not agree on is told for each tensor', async () => {
  const { findings } = await check({
    'm/1/model.onnx': ADD_SUB,
    'm/config.pbtxt': `max_batch_size: 4
input [ { name: "A" data_type: TYPE_INT32 dims: [ 4 ] }, { name: "B" data_type: TYPE_FP32 dims: [ 5 ] } ]
output [ { name: "SUM" data_type: TYPE_FP32 dims: [ 4 ] }, { name: "QUOTIENT" data_type: TYPE_FP32 dims: [ 4 ] } ]
`,
  })
  expect(lines(findings)).toEqual([
    expect.stringMatching(/expects datatype TYPE_INT32 for input 'A', model provides TYPE_FP32/),
    expect.stringMatching(/tensor 'B': the model expects 2 dimensions/),
    expect.stringMatching(/unexpected inference output 'QUOTIENT', allowed outputs are: DIFF, SUM/),
  ])
})

test('a model file that is missing, called otherwise or damaged is told with what to do', async () => {
  const { findings } = await check({
    'empty/config.pbtxt': 'backend: "onnxruntime"',
    'empty/1/notes/x': '',
    'otherwise/1/resnet.onnx': ADD_SUB,
    'otherwise/config.pbtxt': 'platform: "onnxruntime_onnx"',
    'damaged/1/model.onnx': ADD_SUB.subarray(0, 40),
    'noversion/config.pbtxt': ECHO,
    'unknown/1/weights.bin': 'x',
  })
  const found = lines(findings)
  const of = (model: string): string =>
    found.filter((line) => line.startsWith(`${model}:`)).join('\n')
  expect(of('empty')).toMatch(/there is no file 'model.onnx' in empty\/1/)
  expect(of('otherwise')).toMatch(
    /there is resnet.onnx: give it that name, or name it as default_model_filename/,
  )
  expect(of('damaged')).toMatch(/error: /)
  expect(of('noversion')).toMatch(/has no version.*make a folder 1/)
  expect(of('unknown')).toMatch(/Could not determine backend.*there is weights.bin/)
})

test('folders, versions and files that are not served are told', async () => {
  const { findings } = await check({
    'loose.onnx': ADD_SUB,
    'm/config.pbtxt': `${ECHO} version_policy { specific { versions: [ 1, 7 ] } }`,
    'm/1/x': '',
    'm/01/x': '',
    'm/latest/x': '',
  })
  const found = lines(findings).join('\n')
  expect(found).toMatch(/'loose.onnx' lies in no model's folder.*move it to <model>\/1\/loose.onnx/)
  expect(found).toMatch(/version_policy names version 7, which has no folder/)
  expect(found).toMatch(/ignore version directory '01'/)
  expect(found).toMatch(/ignore version directory 'latest'/)
})

test('labels, warm-up data and initial states are read', async () => {
  const { findings } = await check({
    'm/1/x': '',
    'm/labels.txt': 'cat\ndog\nfish\n',
    'm/warmup/short': 'abc',
    'm/warmup/unused': 'abc',
    'm/config.pbtxt': `backend: "identity"
max_batch_size: 4
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 2 ] }, { name: "W" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [
  { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] label_filename: "labels.txt" },
  { name: "W2" data_type: TYPE_FP32 dims: [ 2 ] label_filename: "missing.txt" }
]
model_warmup [
  { name: "gone" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_FP32 dims: [ 2 ] input_data_file: "gone" } } },
  { name: "short" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_FP32 dims: [ 2 ] input_data_file: "short" } } },
  { name: "few" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_FP32 dims: [ 2 ] zero_data: true } } }
]
`,
  })
  const found = lines(findings).join('\n')
  expect(found).toMatch(
    /warning: m\/labels.txt output 'OUT' has 2 elements and its label file 3 lines/,
  )
  expect(found).toMatch(/label file 'missing.txt' of output 'W2' does not exist/)
  expect(found).toMatch(/no file 'm\/warmup\/gone'/)
  expect(found).toMatch(/expects 8 bytes, but the data provided from short only has 3/)
  expect(found).toMatch(/expected 2 inputs but got 1/)
  expect(found).toMatch(/warning: m\/warmup\/unused no warm-up sample uses/)
})

test('an initial state whose data is missing is told', async () => {
  const { findings } = await check({
    'm/1/x': '',
    'm/config.pbtxt': `${ECHO}
sequence_batching { state [ {
  input_name: "SI" output_name: "SO" data_type: TYPE_FP32 dims: [ 2 ]
  initial_state { name: "zero" data_type: TYPE_FP32 dims: [ 2 ] data_file: "zero" }
} ] }`,
  })
  expect(lines(findings)).toEqual([expect.stringMatching(/no file 'm\/initial_state\/zero'/)])
})

const ensemble = (steps: string, input = 'TYPE_FP32'): string => `platform: "ensemble"
max_batch_size: 4
input [ { name: "IN" data_type: ${input} dims: [ 2 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling { step [ ${steps} ] }
`
const step = (model: string, version = -1): string =>
  `{ model_name: "${model}" model_version: ${version} input_map { key: "IN" value: "IN" } output_map { key: "OUT" value: "OUT" } }`

test('ensembles are held against the models they are made of', async () => {
  const { findings } = await check({
    'echo/config.pbtxt': ECHO,
    'echo/1/x': '',
    'fits/config.pbtxt': ensemble(step('echo')),
    'fits/1/x': '',
    'misspelt/config.pbtxt': ensemble(step('ecko')),
    'misspelt/1/x': '',
    'version/config.pbtxt': ensemble(step('echo', 3)),
    'version/1/x': '',
    'types/config.pbtxt': ensemble(step('echo'), 'TYPE_INT32'),
    'types/1/x': '',
    'round/config.pbtxt': ensemble(step('trip')),
    'round/1/x': '',
    'trip/config.pbtxt': ensemble(step('round')),
    'trip/1/x': '',
    'broken/config.pbtxt': ECHO.replace('TYPE_FP32', 'TYPE_INVALID'),
    'broken/1/x': '',
    'above/config.pbtxt': ensemble(step('broken')),
    'above/1/x': '',
  })
  const found = lines(findings)
  const of = (model: string): string =>
    found.filter((line) => line.startsWith(`${model}:`)).join('\n')
  expect(of('fits')).toBe('')
  expect(of('misspelt')).toMatch(/'ecko' is in no repository; did you mean 'echo'\?/)
  expect(of('version')).toMatch(/a step asks for version 3 of model 'echo', which would serve 1/)
  expect(of('types')).toMatch(/inconsistent data type: TYPE_INT32/)
  expect(of('round')).toMatch(/circular dependency/)
  expect(of('trip')).toMatch(/circular dependency/)
  expect(of('above')).toMatch(/warning: what is wrong with its step's model 'broken'/)
})

test('a backend that there is not is told with its nearest name', async () => {
  const { findings } = await check({
    'm/config.pbtxt': ECHO.replace('identity', 'identiti'),
    'm/1/x': '',
  })
  expect(lines(findings)).toEqual([
    expect.stringMatching(
      /unable to find backend library for backend 'identiti'.*did you mean 'identity'/,
    ),
  ])
})

test('fields without effect are warned of, and a model of the same name in another repository', async () => {
  const files = new Map([
    ['m/config.pbtxt', new TextEncoder().encode(ECHO)],
    ['m/1/x', new Uint8Array(1)],
  ])
  const field = 'optimization { eager_batching: true } instance_group { host_policy: "a" }'
  const one = await check({ 'm/config.pbtxt': `${ECHO}${field}`, 'm/1/x': '' })
  expect(lines(one.findings)).toEqual([
    expect.stringMatching(
      /^m: warning: m\/config.pbtxt:5:\d+ optimization.eager_batching has no effect/,
    ),
    expect.stringMatching(
      /^m: warning: m\/config.pbtxt:5:\d+ instance_group\[0\].host_policy has no effect/,
    ),
  ])
  const stores = [memoryStore({ files }), memoryStore({ root: 'other', files })]
  const two = await check({}, { stores })
  expect(lines(two.findings)).toEqual([
    expect.stringMatching(/^m: error: .*two or more repositories.*rename/),
  ])
})

test('code is not run unless that is allowed', async () => {
  const code = createFakeBackend({ name: 'code' })
  const backends = new Map<string, Backend>([['code', code]])
  const files = {
    'whole/config.pbtxt': ECHO.replace('identity', 'code'),
    'whole/1/x': '',
    'bare/config.pbtxt': 'backend: "code"',
    'bare/1/x': '',
  }
  const { findings } = await check(files, { backends, mayOpen: () => false })
  expect(code.loads).toHaveLength(0)
  expect(lines(findings)).toEqual([
    expect.stringMatching(
      /^bare: warning: what it takes and gives is only known when its code runs/,
    ),
  ])
  await check(files, { backends })
  expect(code.loads.map(({ name }) => name).sort()).toEqual(['bare', 'whole'])
})

test('a repository that is empty, or cannot be read, is told', async () => {
  expect(lines((await check({})).findings)).toEqual([
    expect.stringMatching(/not a valid directory|there are no models/),
  ])
})
