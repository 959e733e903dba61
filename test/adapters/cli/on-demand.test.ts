import { expect, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'

const parse = (...argv: string[]) => parseArguments({ argv, env: {}, program: 'nereid' })

function served(...argv: string[]) {
  const parsed = parse(...argv)
  if (parsed.kind !== 'serve') throw new Error(`not served: ${argv.join(' ')}`)
  return parsed.options
}

test('models are loaded at start unless somebody wants them on demand', () => {
  expect(served().loadOnDemand).toBeUndefined()
  expect(served('--load-on-demand=true').loadOnDemand).toEqual({ budget: 0, pinned: [] })
  expect(
    served(
      '--load-on-demand=true',
      '--model-memory-budget=1000',
      '--pin-model=a',
      '--pin-model=b',
      '--pin-model=a',
    ).loadOnDemand,
  ).toEqual({ budget: 1000, pinned: ['a', 'b'] })
})

test.each([
  [['--pin-model=a'], "requires '--load-on-demand' as well"],
  [['--model-memory-budget=1'], "requires '--load-on-demand' as well"],
  [
    ['--load-on-demand=true', '--model-control-mode=explicit'],
    "'--load-on-demand' requires '--model-control-mode=none'",
  ],
])('%s is refused in words', (argv, words) => {
  expect(parse(...argv)).toMatchObject({ kind: 'error', message: expect.stringContaining(words) })
})

test('versions share traffic only where somebody wants it', () => {
  expect(served().modelTraffic).toBe(false)
  expect(served('--model-traffic=true').modelTraffic).toBe(true)
})
