import { expect, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'

const LIMIT = '--rate-limit=execution_count'

const parse = (...argv: string[]) => parseArguments({ argv, env: {}, program: 'nereid' })

function served(...argv: string[]) {
  const parsed = parse(...argv)
  if (parsed.kind !== 'serve') throw new Error(`not served: ${JSON.stringify(parsed)}`)
  return parsed
}

test('the rate limiter is off until it is asked for', () => {
  expect(served().options.rateLimit).toBeUndefined()
  expect(served('--rate-limit=off').options.rateLimit).toBeUndefined()
  expect(served(LIMIT).options.rateLimit).toEqual({ resources: [] })
})

test('resources are for every device or for one', () => {
  const { options, warnings } = served(
    LIMIT,
    '--rate-limit-resource=R1:4:1',
    '--rate-limit-resource',
    'R2:3',
  )
  expect(options.rateLimit).toEqual({
    resources: [
      { name: 'R1', count: 4, device: 1 },
      { name: 'R2', count: 3 },
    ],
  })
  expect(warnings).toEqual([])
})

test.each(['R1', 'R1:', ':4', 'R1:x', 'R1:-1', 'R1:4:', 'R1:4:x', 'R1:4:1:1', 'R1:99999999999'])(
  'a resource of %s is refused',
  (text) => {
    expect(parse(LIMIT, `--rate-limit-resource=${text}`)).toMatchObject({
      kind: 'error',
      message: expect.stringContaining(
        `--rate-limit-resource option format is '<resource_name>:<count>:<device>' or '<resource_name>:<count>'. Got ${text}`,
      ),
    })
  },
)
