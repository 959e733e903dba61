import { expect, test } from 'vitest'
import { doorTable, exposureAdvice } from '../../../adapters/cli/advice.ts'
import type { ServeOptions } from '../../../adapters/cli/options.ts'
import { parseArguments } from '../../../adapters/cli/parse.ts'

type Env = Readonly<Record<string, string>>

function served(argv: readonly string[], env: Env = {}): ServeOptions {
  const parsed = parseArguments({ argv, env, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error(JSON.stringify(parsed))
  return parsed.options
}

function refused(argv: readonly string[], env: Env = {}): string {
  const parsed = parseArguments({ argv, env, program: 'nereid' })
  if (parsed.kind !== 'error') throw new Error(`not refused: ${parsed.kind}`)
  return parsed.message
}

const SAGEMAKER = '--allow-sagemaker=true'

test('what SageMaker’s environment says counts where SageMaker asks', () => {
  const env = {
    SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'digits',
    SAGEMAKER_TRITON_INFERENCE_TYPE: 'generate',
    SAGEMAKER_TRITON_PING_MODE: 'live',
  }
  expect(served([SAGEMAKER, '--sagemaker-port=9090'], env).sagemaker).toMatchObject({
    enabled: true,
    port: 9090,
    defaultModel: 'digits',
    inferenceType: 'generate',
    pingMode: 'live',
  })
  expect(served([], { SAGEMAKER_TRITON_INFERENCE_TYPE: 'nonsense' }).sagemaker.enabled).toBe(false)
})

test('words that SageMaker’s variables do not know are refused', () => {
  expect(refused([SAGEMAKER], { SAGEMAKER_TRITON_INFERENCE_TYPE: 'stream' })).toBe(
    "Invalid SAGEMAKER_TRITON_INFERENCE_TYPE 'stream'. Must be one of: infer, generate, generate_stream",
  )
  expect(refused([SAGEMAKER], { SAGEMAKER_TRITON_PING_MODE: 'maybe' })).toMatch(/ready, live$/)
  expect(refused([SAGEMAKER], { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: '../x' })).toMatch(
    /path traversal/,
  )
})

test('ports outside of SageMaker’s safe range are refused', () => {
  const range = '--sagemaker-safe-port-range=9000-9999'
  expect(refused([SAGEMAKER, range, '--http-port=9000', '--grpc-port=9001'])).toBe(
    'The server cannot listen to metrics requests at port 8002, allowed port range is [9000, 9999]',
  )
  expect(refused([SAGEMAKER, range, '--allow-grpc=false'])).toMatch(/HTTP requests at port 8000/)
  const inside = ['--allow-http=false', '--allow-grpc=false', '--metrics-port=9999']
  expect(served([SAGEMAKER, range, ...inside]).metrics.port).toBe(9999)
})

test('no other service may have the port of a host', () => {
  expect(refused([SAGEMAKER, '--http-port=8080'])).toBe(
    'The server cannot listen to HTTP requests and SageMaker requests at the same port 8080',
  )
  expect(refused([SAGEMAKER, '--allow-vertex-ai=true'])).toMatch(/SageMaker requests and Vertex AI/)
})

test('on Vertex AI its own port is the only one for requests, unless others are asked for', () => {
  const env = {
    AIP_MODE: 'PREDICTION',
    AIP_HTTP_PORT: '7080',
    AIP_PREDICT_ROUTE: '/p',
    AIP_HEALTH_ROUTE: '/h',
    AIP_STORAGE_URI: '/models',
  }
  const options = served([], env)
  expect(options.vertex).toMatchObject({
    enabled: true,
    port: 7080,
    predictRoute: '/p',
    healthRoute: '/h',
  })
  expect([options.http.enabled, options.grpc.enabled]).toEqual([false, false])
  expect(options.modelRepositories).toEqual(['/models'])
  const asked = served(['--allow-http=true', '--vertex-ai-port=1', '--model-repository=m'], env)
  expect(asked.http.enabled).toBe(true)
  expect(asked.vertex.port).toBe(1)
  expect(asked.modelRepositories).toEqual(['m'])
  expect(served(['--allow-vertex-ai=false'], env).modelRepositories).toEqual([])
  expect(refused([], { ...env, AIP_HTTP_PORT: 'http' })).toMatch(/vertex-ai-port/)
})

test('the port that loads models for SageMaker is warned about, one that cannot is not', () => {
  const open = ['--model-control-mode=explicit', '--allow-http=false', '--allow-grpc=false']
  const vertex = ['--allow-vertex-ai=true', '--vertex-ai-port=8081']
  const options = served([...open, SAGEMAKER, ...vertex])
  expect(exposureAdvice(options)).toEqual([
    'anyone who reaches 0.0.0.0:8080 can load and unload models: consider --auth-file or --http-restricted-api=model-repository:<key>=<value>',
  ])
  const table = doorTable(options).join('\n')
  expect(table).toMatch(/SageMaker +\| 0.0.0.0:8080 +\| off +\| none +\| on +\| off/)
  expect(table).toMatch(/Vertex AI +\| 0.0.0.0:8081 +\| off +\| none +\| off +\| off/)
  const restricted = '--http-restricted-api=model-repository:k=v'
  expect(exposureAdvice(served([...open, SAGEMAKER, restricted]))).toEqual([])
})
