import { describe, expect, test } from 'vitest'
import type { ServeOptions } from '../../../adapters/cli/options.ts'
import { parseArguments } from '../../../adapters/cli/parse.ts'

const parse = (argv: readonly string[], env: Record<string, string> = {}) =>
  parseArguments({ argv, env, program: 'nereid' })

function served(argv: readonly string[], env: Record<string, string> = {}) {
  const parsed = parse(argv, env)
  if (parsed.kind !== 'serve') throw new Error(`not served: ${JSON.stringify(parsed)}`)
  return parsed
}

function refused(...argv: readonly string[]): string {
  const parsed = parse(argv)
  if (parsed.kind !== 'error') throw new Error(`not refused: ${JSON.stringify(parsed)}`)
  expect(parsed.usage).toContain('Usage: nereid [options]')
  return parsed.message
}

test('without flags everything has the default that Triton gives it', () => {
  const { options, warnings } = served([])
  expect(warnings).toEqual([])
  expect(options).toEqual({
    id: 'triton',
    exitTimeoutSecs: 30,
    drainDelaySecs: 0,
    log: {
      log_file: '',
      log_info: true,
      log_warning: true,
      log_error: true,
      log_verbose_level: 0,
      log_format: 'default',
    },
    modelRepositories: [],
    repositoryCache: { folder: '', maxBytes: 0 },
    modelDigestFile: '',
    exitOnError: true,
    disableAutoComplete: false,
    strictReadiness: true,
    modelControlMode: 'none',
    repositoryPollSecs: 15,
    overload: {
      maxInflight: 4096,
      memoryBudget: undefined,
      lagMs: 250,
      closePercent: 95,
      refusePercent: 98,
    },
    sharedMemory: { enabled: false, trustClients: false },
    access: {
      authFile: '',
      metricsRequireKey: false,
      httpTls: undefined,
      corsOrigins: [],
      allowedHosts: [],
      httpForwardPattern: '',
      grpcForwardPattern: '',
      strict: false,
    },
    loadModels: [],
    modelConfigName: '',
    modelLoadThreadCount: 4,
    modelLoadRetryCount: 0,
    backendConfig: new Map(),
    backendDirectory: '/opt/tritonserver/backends',
    onnxRuntime: 'ffi',
    gpuLoadLimits: new Map(),
    rateLimit: undefined,
    cache: undefined,
    // Its own defaults are in the tests of --trace-config.
    trace: expect.any(Object),
    modelTraffic: false,
    loadOnDemand: undefined,
    http: {
      enabled: true,
      address: '0.0.0.0',
      port: 8000,
      reusePort: false,
      restrictions: [],
      inferStream: false,
      maxBodyBytes: 64 * 1024 * 1024,
      maxChunks: 65_536,
      maxJsonHeaderBytes: 1024 * 1024,
      maxInflateRatio: 200,
      maxTensors: 1024,
      maxHeaderBytes: 16 * 1024,
      maxConnections: 10_000,
      headerTimeoutMs: 10_000,
      bodyTimeoutMs: 60_000,
      keepAliveMs: 75_000,
    },
    grpc: {
      enabled: true,
      address: '0.0.0.0',
      port: 8001,
      reusePort: false,
      restrictions: [],
      transport: 'native',
      compression: 'none',
      maxMessageBytes: 2_147_483_647,
      maxConcurrentStreams: 1024,
      maxConnections: 10_000,
      keepalive: {
        timeMs: 7_200_000,
        timeoutMs: 20_000,
        permitWithoutCalls: false,
        minRecvPingIntervalWithoutDataMs: 300_000,
        maxPingStrikes: 2,
        maxConnectionAgeMs: 0,
        maxConnectionAgeGraceMs: 0,
      },
      tls: null,
    },
    metrics: {
      enabled: true,
      cpu: true,
      gpu: true,
      address: '0.0.0.0',
      port: 8002,
      intervalMs: 2000,
      maxSeries: 10_000,
      counterLatencies: true,
      summaryLatencies: false,
      histogramLatencies: false,
      summaryQuantiles: [0.5, 0.9, 0.95, 0.99, 0.999],
    },
    sagemaker: {
      enabled: false,
      address: '0.0.0.0',
      port: 8080,
      pingMode: 'ready',
      defaultModel: 'unspecified_SAGEMAKER_TRITON_DEFAULT_MODEL_NAME',
      inferenceType: 'infer',
      modelsFolder: '/opt/ml/models',
    },
    vertex: {
      enabled: false,
      address: '0.0.0.0',
      port: 8080,
      predictRoute: '',
      healthRoute: '',
      defaultModel: '',
    },
  } satisfies ServeOptions)
})

test('--flag=value and --flag value mean the same', () => {
  expect(served(['--http-port=9000', '--id=x']).options).toEqual(
    served(['--http-port', '9000', '--id', 'x']).options,
  )
})

test('a value keeps its text: leading zeros, signs, further equals signs, dashes', () => {
  expect(served(['--id', '007']).options.id).toBe('007')
  expect(served(['--id=a=b']).options.id).toBe('a=b')
  expect(served(['--id', '--strange']).options.id).toBe('--strange')
  expect(served(['--trace-count', '-1']).options.trace.count).toBe(-1)
})

for (const [text, value] of [
  ['true', true],
  ['True', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['FALSE', false],
  ['off', false],
  ['0', false],
] as const) {
  test(`a boolean can be spelled ${text}`, () => {
    expect(served([`--allow-http=${text}`]).options.http.enabled).toBe(value)
    expect(served(['--allow-http', text]).options.http.enabled).toBe(value)
  })
}

test('flags that can be repeated collect their values in order', () => {
  const { options } = served([
    '--model-store=a',
    '--model-repository',
    'b',
    '--model-repository=c',
    '--model-repository=b',
    '--backend-config=onnxruntime,x=1',
    '--backend-config=onnxruntime,y=a,b=c',
    '--backend-config=default-max-batch-size=8',
    '--model-control-mode=explicit',
    '--load-model=m',
    '--load-model=n',
  ])
  expect(options.modelRepositories).toEqual(['a', 'b', 'c'])
  expect(options.loadModels).toEqual(['m', 'n'])
  expect(options.backendConfig).toEqual(
    new Map([
      [
        'onnxruntime',
        new Map([
          ['x', '1'],
          ['y', 'a,b=c'],
        ]),
      ],
      ['', new Map([['default-max-batch-size', '8']])],
    ]),
  )
})

test('of a flag that cannot be repeated the last one counts', () => {
  expect(served(['--http-port=1', '--http-port=2']).options.http.port).toBe(2)
})

test('an environment variable stands in for a flag that is not given', () => {
  const env = { NEREID_HTTP_PORT: '9100', NEREID_ALLOW_METRICS: 'false', NEREID_LOAD_MODEL: 'm' }
  const { options } = served(['--http-port=9200', '--model-control-mode=explicit'], env)
  expect(options.http.port).toBe(9200)
  expect(options.metrics.enabled).toBe(false)
  expect(options.loadModels).toEqual(['m'])
})

test('metrics listen where HTTP does unless told otherwise', () => {
  expect(served(['--http-address=127.0.0.1']).options.metrics.address).toBe('127.0.0.1')
  const both = ['--http-address=127.0.0.1', '--metrics-address=0.0.0.0']
  expect(served(both).options.metrics.address).toBe('0.0.0.0')
})

test('metrics settings are read one by one', () => {
  const { options, warnings } = served([
    '--metrics-config=counter_latencies=false',
    '--metrics-config',
    'summary_latencies=true',
    '--metrics-config=summary_quantiles=0.9:0.01,0.5:0.05',
    '--metrics-config=histogram_latencies=true',
    '--metrics-config=bogus=1',
  ])
  expect(options.metrics).toMatchObject({
    counterLatencies: false,
    summaryLatencies: true,
    histogramLatencies: true,
    summaryQuantiles: [0.5, 0.9],
  })
  expect(warnings).toEqual(['--metrics-config bogus is not a known setting and has no effect'])
})

test('gRPC with TLS needs its files, and mutual TLS the certificates that verify clients', () => {
  const files = ['--grpc-server-cert=c.pem', '--grpc-server-key=k.pem']
  expect(served(['--grpc-use-ssl=true', ...files]).options.grpc.tls).toEqual({
    cert: 'c.pem',
    key: 'k.pem',
    ca: '',
  })
  expect(refused('--grpc-use-ssl=true')).toContain('--grpc-server-cert')
  expect(refused('--grpc-use-ssl-mutual=true', ...files)).toContain('--grpc-root-cert')
})

test('services that listen to one port are named', () => {
  expect(refused('--grpc-port=8000')).toBe(
    'The server cannot listen to HTTP requests and GRPC requests at the same port 8000',
  )
  expect(refused('--metrics-port=8001')).toBe(
    'The server cannot listen to GRPC requests and metrics requests at the same port 8001',
  )
  expect(served(['--grpc-port=8000', '--allow-http=false']).options.grpc.port).toBe(8000)
})

test('the deprecated --strict-model-config=true switches auto-completion off, and false is overruled with a warning', () => {
  expect(served(['--strict-model-config=true']).options.disableAutoComplete).toBe(true)
  expect(served(['--strict-model-config=false']).options.disableAutoComplete).toBe(false)
  const both = served(['--strict-model-config=false', '--disable-auto-complete-config'])
  expect(both.options.disableAutoComplete).toBe(true)
  expect(both.warnings).toEqual([
    "Overriding deprecated '--strict-model-config' from False to True in favor of '--disable-auto-complete-config'!",
  ])
})

test('a command line for services of later releases starts and names what has no effect', () => {
  const { warnings } = served([
    '--grpc-port=9001',
    '--allow-sagemaker=true',
    '--trace-config=triton,file=/tmp/t.json',
    '--trace-config=level=TIMESTAMPS',
    '--pinned-memory-pool-byte-size=0',
    '--cuda-memory-pool-byte-size=0:1024',
    '--host-policy=gpu_0,numa-node=0',
    '--min-supported-compute-capability=7.5',
  ])
  expect(warnings).toHaveLength(4)
  expect(warnings).toContain('--host-policy is accepted and has no effect yet')
})

test('each GPU can have its limit', () => {
  const { options } = served(['--model-load-gpu-limit=0:0.5', '--model-load-gpu-limit=1:0.75'])
  expect([...options.gpuLoadLimits]).toEqual([
    [0, 0.5],
    [1, 0.75],
  ])
})

test('what is switched off is not warned about', () => {
  expect(served(['--allow-grpc=false', '--allow-gpu-metrics=0']).warnings).toEqual([])
})

describe('a command line that cannot be served is refused with the reason', () => {
  for (const [argv, message] of [
    [
      ['--model-repositry=x'],
      "unknown option '--model-repositry=x'\n(Did you mean --model-repository?)",
    ],
    [['--http-prt', '1'], "unknown option '--http-prt'\n(Did you mean --http-port?)"],
    [['--http-port'], "option '--http-port <value>' argument missing"],
    [
      ['--model-load-gpu-limit=0:2'],
      'Bad option: "--model-load-gpu-limit".\n--model-load-gpu-limit takes a GPU and a fraction from 0.0 to 1.0. Got 0:2',
    ],
    [['stray'], 'Unexpected argument: stray'],
    [['--http-port=abc'], 'Bad option: "--http-port".\nInvalid option value. Got abc'],
    [['--http-port=1.5'], 'Bad option: "--http-port".\nInvalid option value. Got 1.5'],
    [['--http-port='], 'Bad option: "--http-port".\nInvalid option value. Got '],
    [
      ['--http-port=70000'],
      'Bad option: "--http-port".\nProvided option value is out of bound. Got 70000',
    ],
    [
      ['--exit-on-error=maybe'],
      'Bad option: "--exit-on-error".\ninvalid value for bool option: maybe',
    ],
    [
      ['--model-control-mode=foo'],
      'Bad option: "--model-control-mode".\ninvalid argument for --model-control-mode, expected one of none, poll, explicit. Got foo',
    ],
    [
      ['--metrics-config=foo'],
      'Bad option: "--metrics-config".\n--metrics-config option format is <setting>=<value>. Got foo',
    ],
    [
      ['--backend-config=foo'],
      `Bad option: "--backend-config".\n--backend-config option format is '<backend name>,<setting>=<value>'. Got foo`,
    ],
    [
      ['--backend-config=,a=b'],
      `Bad option: "--backend-config".\n--backend-config option format is '<backend name>,<setting>=<value>'. Got ,a=b`,
    ],
    [
      ['--cache-config=size=1'],
      'Bad option: "--cache-config".\nNo cache specified. --cache-config option format is <cache name>,<setting>=<value>. Got size=1',
    ],
    [
      ['--http-restricted-api=x'],
      `Bad option: "--http-restricted-api".\n--http-restricted-api option format is '<config name>:<setting>=<value>'. Got x`,
    ],
    [
      ['--http-restricted-api=bogus:k=v'],
      `Bad option: "--http-restricted-api".\nunknown restricted api 'bogus'`,
    ],
    [
      ['--http-restricted-api=health:k=v', '--http-restricted-api=health,trace:l=w'],
      "restricted api 'health' can not be specified in multiple config groups",
    ],
    [
      ['--load-model=m'],
      "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.",
    ],
    [
      ['--model-control-mode=explicit', '--load-model=*', '--load-model=m'],
      "Error: '--load-model=*' must be the only '--load-model'.",
    ],
    [
      ['--cache-config=local,size=1', '--response-cache-byte-size=1'],
      'Error: Incompatible flags --response-cache-byte-size and --cache-config both provided. Please provide one or the other.',
    ],
    [
      ['--http-port=8002'],
      'The server cannot listen to HTTP requests and metrics requests at the same port 8002',
    ],
    [
      ['--metrics-config=summary_quantiles=0.5'],
      '--metrics-config summary_quantiles expects <quantile>:<error> pairs between 0 and 1, separated by commas. Got 0.5',
    ],
    [
      ['--http-header-forward-pattern=('],
      'Bad option: "--http-header-forward-pattern".\nmissing ): (',
    ],
  ] as const) {
    test(argv.join(' '), () => {
      expect(refused(...argv)).toBe(message)
    })
  }
})

test('the same port on two addresses is no clash', () => {
  const argv = ['--http-address=127.0.0.1', '--http-port=9', '--metrics-port=9']
  expect(refused(...argv)).toMatch(/at the same port 9/)
  expect(served([...argv, '--metrics-address=127.0.0.2']).options.metrics.port).toBe(9)
})
