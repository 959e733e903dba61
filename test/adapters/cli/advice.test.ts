import { expect, test } from 'vitest'
import { exposureAdvice, runtimeAdvice } from '../../../adapters/cli/advice.ts'
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

function advised(...argv: string[]): string | undefined {
  const parsed = parseArguments({ argv, env: {}, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error('not served')
  return exposureAdvice(parsed.options)
}

test('model control that anybody on the network can use is pointed out', () => {
  expect(advised('--model-control-mode=explicit')).toMatch(/0\.0\.0\.0:8000 can load and unload/)
  expect(advised('--model-control-mode=poll')).toBeUndefined()
  expect(advised('--model-control-mode=explicit', '--http-address=127.0.0.1')).toBeUndefined()
  expect(
    advised('--model-control-mode=explicit', '--http-restricted-api=model-repository:k=v'),
  ).toBeUndefined()
})
