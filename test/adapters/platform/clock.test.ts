import { expect, test } from 'vitest'
import { nodeClock } from '../../../adapters/platform/clock.ts'

const clock = nodeClock()
const elapsed = (delayNs: number): Promise<number> =>
  new Promise((resolve) => {
    const start = clock.now()
    clock.after(delayNs, () => resolve(clock.now() - start))
  })

for (const us of [0, 50, 300, 1000, 2500, 6000, 25_000]) {
  test(`a delay of ${us} µs is never cut short`, async () => {
    for (let i = 0; i < 10; i++) expect(await elapsed(us * 1000)).toBeGreaterThanOrEqual(us * 1000)
  })
}

test('delays that end in the same turn run in the order of their ends', async () => {
  const order: number[] = []
  await new Promise<void>((resolve) => {
    clock.after(400_000, () => order.push(400) && resolve())
    clock.after(100_000, () => order.push(100))
    clock.after(200_000, () => order.push(200))
    const start = clock.now()
    while (clock.now() - start < 1_000_000); // all three are overdue at the next turn
  })
  expect(order).toEqual([100, 200, 400])
})

test('a cancelled delay does not run, however often it is cancelled and whatever its length', async () => {
  const ran: string[] = []
  for (const ns of [100_000, 3_000_000, 25_000_000]) {
    const cancel = clock.after(ns, () => ran.push(String(ns)))
    cancel()
    cancel()
  }
  await elapsed(30_000_000)
  expect(ran).toEqual([])
})

test('a delay cancelled by another of the same turn does not run', async () => {
  const ran: string[] = []
  await new Promise<void>((resolve) => {
    let cancelSecond = (): void => {}
    clock.after(50_000, () => {
      ran.push('first')
      cancelSecond()
    })
    cancelSecond = clock.after(60_000, () => ran.push('second'))
    clock.after(70_000, resolve)
    const start = clock.now()
    while (clock.now() - start < 200_000);
  })
  expect(ran).toEqual(['first'])
})

test('waiting out a short delay leaves the event loop its turns', async () => {
  let turns = 0
  let done = false
  const count = (): void => {
    turns++
    if (!done) setImmediate(count)
  }
  setImmediate(count)
  await elapsed(1_000_000)
  done = true
  // A busy machine may fit few turns into a millisecond, but a wait that blocks would leave none.
  expect(turns).toBeGreaterThan(0)
})

test('nextTurn runs after the work of this turn', async () => {
  const order: string[] = []
  await new Promise<void>((resolve) => {
    clock.nextTurn(() => {
      order.push('next turn')
      resolve()
    })
    queueMicrotask(() => order.push('microtask'))
    order.push('now')
  })
  expect(order).toEqual(['now', 'microtask', 'next turn'])
})
