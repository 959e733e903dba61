import { expect, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'

function parse(...argv: string[]) {
  const parsed = parseArguments({ argv, env: {}, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error(`not served: ${parsed.kind}`)
  return parsed
}

test('clients register shared memory only where the owner lets them', () => {
  expect(parse().options.sharedMemory.enabled).toBe(false)
  const { options, warnings } = parse('--allow-client-shm=true')
  expect(options.sharedMemory).toEqual({ enabled: true, trustClients: false })
  expect(warnings).toEqual([])
})

test('trusting clients is said at the start', () => {
  const { options, warnings } = parse('--allow-client-shm=true', '--shm-trust-clients=true')
  expect(options.sharedMemory).toEqual({ enabled: true, trustClients: true })
  expect(warnings.join()).toContain('a client that shrinks its memory ends this server')
  expect(parse('--shm-trust-clients=true').warnings).toEqual([])
})
