import { expect, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'
import { type ServeDisk, servePlan } from '../../../adapters/sagemaker/serve-arguments.ts'

const disk = (folders: readonly string[] = ['only'], files: readonly string[] = []): ServeDisk => ({
  folders: () => folders,
  isFile: (path) => files.includes(path),
  gpus: () => 2,
  emptyFolder: () => '/empty',
})

function started(env: Record<string, string>, on: ServeDisk = disk()) {
  const plan = servePlan(env, on)
  if (plan.kind !== 'start') throw new Error(plan.lines.join('\n'))
  return plan
}
function problem(env: Record<string, string>, on: ServeDisk): string {
  const plan = servePlan(env, on)
  return plan.kind === 'problem' ? plan.lines.join('\n') : 'started'
}

test('one model: its name need not be said, and nothing but SageMaker’s port is open', () => {
  const { argv, env } = started({})
  expect(argv).toEqual([
    '--allow-sagemaker=true',
    '--allow-http=false',
    '--model-control-mode=explicit',
    '--exit-timeout-secs=25',
    '--model-repository=/opt/ml/model',
    '--load-model=only',
    '--allow-grpc=false',
    '--allow-metrics=false',
  ])
  expect(env).toEqual({
    SAGEMAKER_TRITON_PING_MODE: 'ready',
    SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'only',
  })
})

test('many models: an empty repository, and a ping that does not depend on each of them', () => {
  const plan = started({ SAGEMAKER_MULTI_MODEL: 'true', SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'x' })
  expect(plan.argv).toContain('--model-repository=/empty')
  expect(plan.argv.join()).not.toContain('--load-model')
  expect(plan.env).toEqual({ SAGEMAKER_TRITON_PING_MODE: 'live' })
  const override = { SAGEMAKER_MULTI_MODEL: 'true', SAGEMAKER_TRITON_OVERRIDE_PING_MODE: 'ready' }
  expect(started(override).env['SAGEMAKER_TRITON_PING_MODE']).toBe('ready')
})

test('every variable becomes a flag that the server takes; what is added comes last', () => {
  const env = {
    SAGEMAKER_BIND_TO_PORT: '9001',
    SAGEMAKER_SAFE_PORT_RANGE: '9000-9999',
    SAGEMAKER_TRITON_ALLOW_GRPC: 'true',
    SAGEMAKER_TRITON_ALLOW_METRICS: 'true',
    SAGEMAKER_TRITON_GRPC_PORT: '9002',
    SAGEMAKER_TRITON_METRICS_PORT: '9003',
    SAGEMAKER_TRITON_BUFFER_MANAGER_THREAD_COUNT: '2',
    SAGEMAKER_TRITON_THREAD_COUNT: '4',
    SAGEMAKER_TRITON_LOG_VERBOSE: 'true',
    SAGEMAKER_TRITON_LOG_INFO: 'false',
    SAGEMAKER_TRITON_SHM_DEFAULT_BYTE_SIZE: '1048576',
    SAGEMAKER_TRITON_MODEL_LOAD_GPU_LIMIT: '0.5',
    SAGEMAKER_TRITON_ADDITIONAL_ARGS: ' --id=mine  --exit-timeout-secs 7 ',
  }
  const { argv, env: more } = started(env)
  const parsed = parseArguments({ argv, env: { ...env, ...more }, program: 'serve' })
  if (parsed.kind !== 'serve') throw new Error(JSON.stringify(parsed))
  expect(parsed.options).toMatchObject({
    id: 'mine',
    exitTimeoutSecs: 7,
    sagemaker: { enabled: true, port: 9001, defaultModel: 'only' },
    grpc: { enabled: true, port: 9002 },
    metrics: { enabled: true, port: 9003 },
    log: { log_verbose_level: 1, log_info: false },
  })
  expect(argv).toContain('--model-load-gpu-limit=1:0.5')
})

test('a model that cannot be told is a reason not to start', () => {
  expect(problem({}, disk([]))).toBe('No model found in model repository')
  expect(problem({}, disk(['a', 'b']))).toMatch(/More than 1 model .*\n.*\n.*: a b$/)
  const named = { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'b' }
  expect(problem(named, disk(['a']))).toBe(
    'Directory with provided SAGEMAKER_TRITON_DEFAULT_MODEL_NAME b does not exist',
  )
  expect(started(named, disk(['a', 'b'])).argv).toContain('--load-model=b')
  expect(problem({}, disk(['1'], ['/opt/ml/model/config.pbtxt']))).toMatch(/top level folder/)
})
