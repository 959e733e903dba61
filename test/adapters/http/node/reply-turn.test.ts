import { expect, test } from 'vitest'
import { ReplyTurn } from '../../../../adapters/http/node/reply-turn.ts'

const turnEnd = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Offers `count` replies in one turn; returns how many were held back, after the turn has ended. */
async function offer(turn: ReplyTurn, count: number): Promise<number> {
  let held = 0
  let flushed = 0
  for (let i = 0; i < count; i++) if (turn.take({ flush: () => flushed++ })) held++
  expect(flushed).toBe(0)
  await turnEnd()
  expect(flushed).toBe(held)
  return held
}

test('replies of one turn leave together at its end, in order', async () => {
  const turn = new ReplyTurn()
  const written: number[] = []
  for (const i of [1, 2, 3]) expect(turn.take({ flush: () => written.push(i) })).toBe(true)
  expect(written).toEqual([])
  await turnEnd()
  expect(written).toEqual([1, 2, 3])
})

test('a client that is alone is soon answered at once, and company is noticed again', async () => {
  const turn = new ReplyTurn()
  let held = 0
  for (let i = 0; i < 200; i++) held += await offer(turn, 1)
  expect(held).toBeLessThan(20)
  for (let i = 0; i < 40; i++) await offer(turn, 16)
  expect(await offer(turn, 16)).toBe(16)
})

test('a reply that is offered while others are written waits for the next turn', async () => {
  const turn = new ReplyTurn()
  const written: string[] = []
  turn.take({
    flush: () => {
      written.push('first')
      turn.take({ flush: () => written.push('second') })
    },
  })
  await turnEnd()
  expect(written).toEqual(['first'])
  await turnEnd()
  expect(written).toEqual(['first', 'second'])
})
