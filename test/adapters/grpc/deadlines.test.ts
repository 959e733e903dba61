import { expect, it } from 'vitest'
import { Deadlines, type Expiring } from '../../../adapters/grpc/deadlines.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

const call = (expire: () => void): Expiring => ({ deadlineNs: 0, heapIndex: -1, expire })

it('calls expire in order, though some of them throw, and no timer stays behind', () => {
  const clock = createFakeClock()
  const expired: string[] = []
  const errors: unknown[] = []
  const deadlines = new Deadlines(clock, (error) => errors.push(error))
  const bug = new Error('a bug')
  const add = (name: string, timeoutNs: number, throws: boolean): Expiring => {
    const one = call(() => {
      expired.push(name)
      if (throws) throw bug
    })
    deadlines.add(one, timeoutNs)
    return one
  }
  add('late', 3_000, false)
  add('first', 1_000, true)
  add('second', 1_000, false)
  deadlines.remove(add('answered', 2_000, false))
  clock.advance(1_500)
  expect(expired).toEqual(['first', 'second'])
  clock.advance(1_500)
  expect(expired).toEqual(['first', 'second', 'late'])
  expect(errors).toEqual([bug])
  expect([deadlines.size, clock.timers]).toEqual([0, 0])
})
