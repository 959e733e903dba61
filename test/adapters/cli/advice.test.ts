import { expect, test } from 'vitest'
import { doorTable, exposureAdvice, runtimeAdvice } from '../../../adapters/cli/advice.ts'
import { parseArguments } from '../../../adapters/cli/parse.ts'

for (const version of ['v20.20.2', 'v23.1.0', 'v25.9.0']) {
  test(`${version} is said to get no security fixes`, () => {
    expect(runtimeAdvice(version)).toMatch(/gets no security fixes any more/)
  })
}

for (const [version, wanted] of [
  ['v22.22.9', '22.23.0'],
  ['v24.22.2', '24.22.3'],
  ['v24.1.9', '24.22.3'],
] as const) {
  test(`${version} is said to have known holes, and which release has none`, () => {
    expect(runtimeAdvice(version)).toContain(wanted)
  })
}

for (const version of ['v22.23.0', 'v24.22.3', 'v24.23.0', 'v26.0.0', 'v27.1.0']) {
  test(`${version} is not remarked upon`, () => {
    expect(runtimeAdvice(version)).toBeUndefined()
  })
}

function advised(...argv: string[]): string {
  const parsed = parseArguments({ argv, env: {}, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error('not served')
  return exposureAdvice(parsed.options).join('\n')
}

const CONTROL = '--model-control-mode=explicit'
const HTTP_KEY = '--http-restricted-api=model-repository:k=v'
const GRPC_KEY = '--grpc-restricted-protocol=model-repository:k=v'

test('model control that anybody on the network can use is pointed out for each port', () => {
  expect(advised(CONTROL)).toMatch(/0\.0\.0\.0:8000 can load and unload/)
  expect(advised(CONTROL)).toMatch(/0\.0\.0\.0:8001 can load and unload/)
  expect(advised(CONTROL, HTTP_KEY)).not.toMatch(/:8000/)
  expect(advised(CONTROL, HTTP_KEY)).toMatch(/:8001 .*--grpc-restricted-protocol/)
  expect(advised(CONTROL, HTTP_KEY, '--allow-grpc=false')).toBe('')
})

test.each([
  ['nothing to control', ['--model-control-mode=poll']],
  ['loopback addresses', [CONTROL, '--http-address=127.0.0.1', '--grpc-address=::1']],
  ['both ports restricted', [CONTROL, HTTP_KEY, GRPC_KEY]],
  ['a key file', [CONTROL, '--auth-file=keys.json', '--allow-client-shm=true']],
])('%s needs no advice', (_what, argv) => {
  expect(advised(...argv)).toBe('')
})

test('shared memory that anybody on the network can register is pointed out', () => {
  expect(advised('--allow-client-shm=true')).toMatch(/:8000 can have shared memory .* read/)
})

test('the table of doors shows what stands between each port and the network', () => {
  const parsed = parseArguments({
    argv: [CONTROL, HTTP_KEY, '--http-tls-cert=c', '--http-tls-key=k', '--grpc-address=::1'],
    env: {},
    program: 'nereid',
  })
  if (parsed.kind !== 'serve') throw new Error(JSON.stringify(parsed))
  const rows = doorTable(parsed.options).map((row) => row.split('|').map((cell) => cell.trim()))
  expect(rows).toContainEqual(['', 'HTTP', '0.0.0.0:8000', 'on', 'restricted', 'on', 'off', ''])
  expect(rows).toContainEqual(['', 'GRPC', '::1:8001', 'off', 'none', 'on', 'off', ''])
  expect(rows).toContainEqual(['', 'Metrics', '0.0.0.0:8002', 'off', 'none', 'off', 'off', ''])
})

test.each([
  [['--http-tls-cert=c'], 'both --http-tls-cert and --http-tls-key'],
  [['--metrics-require-key=true'], 'requires --auth-file'],
  [['--http-cors-origin=example.org'], 'expected'],
  [['--http-header-forward-pattern=(?=a)'], 'invalid perl operator'],
  [['--grpc-header-forward-pattern=a**'], 'bad repetition operator'],
])('%j is refused: %s', (argv, text) => {
  const parsed = parseArguments({ argv, env: {}, program: 'nereid' })
  expect(parsed).toMatchObject({ kind: 'error' })
  expect(parsed).toHaveProperty('message', expect.stringContaining(text))
})

test('recording that anybody on the network can switch on is pointed out, where there is somewhere to record to', () => {
  const file = '--trace-config=triton,file=/tmp/t.json'
  expect(advised('--trace-config=rate=1')).toBe('')
  expect(advised(file)).toMatch(/0\.0\.0\.0:8000 can have requests of others recorded/)
  expect(advised('--trace-config=mode=opentelemetry')).toMatch(/:8001 can have requests/)
  expect(advised(file, '--http-restricted-api=trace:k=v', '--allow-grpc=false')).toBe('')
})
