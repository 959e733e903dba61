import { expect, test } from 'vitest'
import type { ServeOptions } from '../../../adapters/cli/options.ts'
import { parseArguments } from '../../../adapters/cli/parse.ts'

function optionsOf(argv: readonly string[]): ServeOptions {
  const parsed = parseArguments({ argv, env: {}, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error(`not served: ${argv.join(' ')}`)
  return parsed.options
}

test('limits on overload are as given, and 0 switches each of them off', () => {
  const options = optionsOf([
    '--max-inflight=0',
    '--memory-budget=0',
    '--overload-lag-ms=0',
    '--overload-close-percent=0',
    '--overload-refuse-percent=99.5',
    '--drain-delay-secs=2.5',
  ])
  expect(options.overload).toEqual({
    maxInflight: 0,
    memoryBudget: 0,
    lagMs: 0,
    closePercent: 0,
    refusePercent: 99.5,
  })
  expect(options.drainDelaySecs).toBe(2.5)
})

test('an empty environment leaves the budget to the memory there is', () => {
  expect(optionsOf([]).overload.memoryBudget).toBeUndefined()
})

test.each(['--max-inflight=-1', '--overload-close-percent=101', '--drain-delay-secs=-1'])(
  '%s is refused',
  (flag) => {
    const parsed = parseArguments({ argv: [flag], env: {}, program: 'nereid' })
    expect(parsed.kind).toBe('error')
  },
)
