import { expect, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'
import { OFF, TENSORS, TIMESTAMPS } from '../../../core/trace/level.ts'

type Environment = Readonly<Record<string, string>>

const parse = (settings: readonly string[], env: Environment = {}) =>
  parseArguments({
    argv: settings.flatMap((one) => (one.startsWith('--') ? [one] : ['--trace-config', one])),
    env,
    program: 'nereid',
  })

function trace(settings: readonly string[], env: Environment = {}) {
  const parsed = parse(settings, env)
  if (parsed.kind !== 'serve') throw new Error(`not served: ${JSON.stringify(parsed)}`)
  return { ...parsed.options.trace, warnings: parsed.warnings }
}

test('without settings nothing is traced, and the rest is as Triton has it', () => {
  expect(trace([])).toEqual({
    level: OFF,
    rate: 1000,
    count: -1,
    logFrequency: 0,
    mode: 'triton',
    file: '',
    options: [],
    export: {
      url: 'http://localhost:4318/v1/traces',
      resource: {},
      maxQueueSize: 2048,
      scheduleDelayMs: 5000,
      maxBatchSize: 512,
    },
    warnings: [],
  })
})

test('settings for all and of the mode are put together', () => {
  expect(
    trace([
      'triton,file=/tmp/a,b=c.json',
      'triton,log-frequency=50',
      'rate=100',
      'level=TIMESTAMPS',
      'level=tensors',
      'count=7',
    ]),
  ).toMatchObject({
    mode: 'triton',
    file: '/tmp/a,b=c.json',
    logFrequency: 50,
    rate: 100,
    count: 7,
    level: TIMESTAMPS | TENSORS,
    options: [],
    warnings: [],
  })
})

test('OFF outdoes other levels, and the old names of levels are known', () => {
  expect(trace(['level=TIMESTAMPS', 'level=off']).level).toBe(OFF)
  expect(trace(['level=max', 'triton,file=x']).level).toBe(TIMESTAMPS)
  expect(trace(['level=false']).level).toBe(OFF)
})

test('the deprecated flags do the same, say so, and give way', () => {
  const old = [
    '--trace-file=/t',
    '--trace-level=TIMESTAMPS',
    '--trace-rate=5',
    '--trace-count=6',
    '--trace-log-frequency=7',
  ]
  expect(trace(old)).toMatchObject({
    file: '/t',
    level: TIMESTAMPS,
    rate: 5,
    count: 6,
    logFrequency: 7,
  })
  expect(trace(old).warnings).toHaveLength(5)
  expect(trace(old).warnings[1]).toBe('--trace-rate is deprecated: use --trace-config rate=<n>')
  expect(trace([...old, 'rate=9', 'triton,file=/new'])).toMatchObject({ rate: 9, file: '/new' })
})

test('opentelemetry has its own options, from the command line, the environment or by default', () => {
  const env = { OTEL_BSP_SCHEDULE_DELAY: '20' }
  expect(
    trace(
      [
        'mode=opentelemetry',
        'opentelemetry,url=http://collector:4318/v1/traces',
        'opentelemetry,resource=service.name=mine',
        'opentelemetry,resource=team=a=b',
        'opentelemetry,bsp_max_queue_size=10',
        'triton,file=/tmp/ignored',
      ],
      env,
    ),
  ).toMatchObject({
    mode: 'opentelemetry',
    options: [
      ['url', 'http://collector:4318/v1/traces'],
      ['resource', 'service.name=mine'],
      ['resource', 'team=a=b'],
      ['bsp_max_queue_size', '10'],
      ['bsp_max_export_batch_size', '512'],
      ['bsp_schedule_delay', '20'],
    ],
    export: {
      url: 'http://collector:4318/v1/traces',
      resource: { 'service.name': 'mine', team: 'a=b' },
      maxQueueSize: 10,
      scheduleDelayMs: 20,
      maxBatchSize: 512,
    },
  })
})

test('what would come to nothing is told', () => {
  expect(trace(['level=TIMESTAMPS']).warnings).toEqual([
    'nothing is traced without --trace-config triton,file=<path>',
  ])
  expect(trace(['level=TENSORS', 'mode=opentelemetry']).warnings).toEqual([
    'tensors are not traced in opentelemetry mode',
  ])
})

const FORMAT = "--trace-config option format is '<trace mode>,<setting>=<value>'. Got"
const MODES = 'Available options are "triton" and "opentelemetry"'
// The last lines of what Triton 2.51 prints.
test.each([
  [['rate=x'], 'Bad option: "--trace-config rate".\nInvalid option value. Got x'],
  [
    ['rate=99999999999'],
    'Bad option: "--trace-config rate".\nProvided option value is out of bound. Got 99999999999',
  ],
  [['count=q'], 'Bad option: "--trace-config count".\nInvalid option value. Got q'],
  [['level=foo'], 'Bad option: "--trace-config level".\ninvalid value for trace level option: foo'],
  [
    ['mode=foo'],
    `Bad option: "--trace-config mode".\ninvalid value for trace mode option: foo. ${MODES}`,
  ],
  [
    ['foo,bar=1'],
    `Bad option: "--trace-config".\ninvalid value for trace mode option: foo. ${MODES}`,
  ],
  [
    [',a=1'],
    'Bad option: "--trace-config".\nNo trace mode specified. --trace-config option format is <trace mode>,<setting>=<value> or <setting>=<value>. Got ,a=1',
  ],
  [['rate'], `Bad option: "--trace-config".\n${FORMAT} rate`],
  [['rate='], `Bad option: "--trace-config".\n${FORMAT} rate=`],
  [
    ['triton,log-frequency=x'],
    'Bad option: "--trace-config triton,log-frequency".\nInvalid option value. Got x',
  ],
  [
    ['mode=opentelemetry', 'opentelemetry,bsp_max_queue_size=x'],
    'Bad option: "--trace-config opentelemetry,bsp_max_queue_size".\nInvalid option value. Got x',
  ],
])('%j is refused', (settings, message) => {
  expect(parse(settings)).toMatchObject({ kind: 'error', message })
})

test('settings of another mode and unknown ones are left alone, as Triton leaves them', () => {
  expect(trace(['opentelemetry,bsp_max_queue_size=x', 'zzz=1', 'triton,zzz=1'])).toMatchObject({
    mode: 'triton',
    options: [['zzz', '1']],
  })
})
