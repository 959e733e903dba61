import { expect, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'
import { backendTable, modelTable, optionTable } from '../../../adapters/cli/tables.ts'

function options(...argv: string[]) {
  const parsed = parseArguments({ argv, env: {}, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error('not served')
  return parsed.options
}

test('the table of models looks as Triton prints it, on one line per version whatever the reason holds', () => {
  const rows = [
    { name: 'addsub', version: '1', status: 'READY' },
    { name: 'broken', version: '12', status: 'UNAVAILABLE: Internal: first\n  second' },
  ]
  expect(modelTable(rows)).toEqual([
    '+--------+---------+-------------------------------------+',
    '| Model  | Version | Status                              |',
    '+--------+---------+-------------------------------------+',
    '| addsub | 1       | READY                               |',
    '| broken | 12      | UNAVAILABLE: Internal: first second |',
    '+--------+---------+-------------------------------------+',
  ])
})

test('an empty repository gives a table without rows', () => {
  expect(modelTable([])).toEqual([
    '+-------+---------+--------+',
    '| Model | Version | Status |',
    '+-------+---------+--------+',
    '+-------+---------+--------+',
  ])
})

test('a backend shows the settings that apply to it', () => {
  const text = backendTable(
    ['onnxruntime'],
    options('--backend-config=default-max-batch-size=8', '--backend-config=onnxruntime,a=b'),
  ).join('\n')
  expect(text).toContain(
    '{"cmdline":{"auto-complete-config":"true","default-max-batch-size":"8","a":"b"}}',
  )
})

test('the table of options says how the server was started', () => {
  const rows = optionTable(
    options(
      '--id=edge',
      '--model-control-mode=explicit',
      '--load-model=m',
      '--exit-timeout-secs=5',
    ),
    { version: '2.51.0', extensions: ['classification', 'sequence'], repositories: ['/a', '/b'] },
  ).map((row) =>
    row
      .split('|')
      .map((cell) => cell.trim())
      .filter((cell) => cell !== ''),
  )
  expect(rows.filter((row) => row.length > 1)).toEqual(
    expect.arrayContaining([
      ['Option', 'Value'],
      ['server_id', 'edge'],
      ['server_version', '2.51.0'],
      ['server_extensions', 'classification sequence'],
      ['model_repository_path[0]', '/a'],
      ['model_repository_path[1]', '/b'],
      ['model_control_mode', 'MODE_EXPLICIT'],
      ['startup_models_0', 'm'],
      ['strict_model_config', '0'],
      ['rate_limit', 'OFF'],
      ['strict_readiness', '1'],
      ['exit_timeout', '5'],
      ['cache_enabled', '0'],
    ]),
  )
})

test('the table of options has a row for each resource of the rate limiter', () => {
  const limited = options(
    '--rate-limit=execution_count',
    '--rate-limit-resource=R1:4',
    '--rate-limit-resource=R2:3:1',
  )
  const facts = { version: '', extensions: [], repositories: [] }
  const rows = optionTable(limited, facts).filter((row) => row.includes('rate_limit'))
  expect(rows.map((row) => row.split('|').map((cell) => cell.trim()))).toEqual([
    ['', 'rate_limit', 'EXEC_COUNT', ''],
    ['', 'rate_limit_resource[0]', '{"name":"R1", "count":4 "device":-1}', ''],
    ['', 'rate_limit_resource[1]', '{"name":"R2", "count":3 "device":1}', ''],
  ])
})
