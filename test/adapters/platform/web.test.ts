import { expect, test } from 'vitest'
import { webPlatform } from '../../../adapters/platform/web.ts'

const { clock } = webPlatform()

test('a timer never calls early, not even by a fraction of a millisecond', async () => {
  for (const delayNs of [0, 300_000, 1_400_000, 5_000_000]) {
    const begin = clock.now()
    await new Promise<void>((resolve) => clock.after(delayNs, resolve))
    expect(clock.now() - begin).toBeGreaterThanOrEqual(delayNs)
  }
})

test('a cancelled timer calls nobody, however often it is cancelled', async () => {
  const called: string[] = []
  const cancel = clock.after(1e6, () => called.push('cancelled'))
  cancel()
  cancel()
  await new Promise<void>((resolve) => clock.after(4e6, resolve))
  expect(called).toEqual([])
})

test('what waits for the next turn runs after this one, in order', async () => {
  const order: string[] = []
  clock.nextTurn(() => order.push('first'))
  const done = new Promise<void>((resolve) => clock.nextTurn(resolve))
  clock.nextTurn(() => order.push('last'))
  order.push('now')
  await done
  expect(order).toEqual(['now', 'first'])
  await new Promise<void>((resolve) => clock.nextTurn(resolve))
  expect(order).toEqual(['now', 'first', 'last'])
})

test('lines of the log are Triton’s, one for each call', () => {
  const lines: string[] = []
  const { log } = webPlatform({ write: (text) => void lines.push(text) })
  log.warning('no adapter')
  expect(lines).toEqual([expect.stringMatching(/^W\d{4} [\d:.]+ 1 nereid:1\] "no adapter"\n$/)])
})
