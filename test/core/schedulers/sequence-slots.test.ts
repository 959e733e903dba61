import { expect, it } from 'vitest'
import {
  MAX_SEQUENCE_SLOTS,
  type SequenceLane,
  type SequenceSlot,
  SequenceSlots,
} from '../../../core/schedulers/sequence-slots.ts'

function lane(): SequenceLane {
  return { slots: [], queued: 0, idle: true, wake() {}, ring() {}, close: async () => {} }
}

function takeAll(slots: SequenceSlots): SequenceSlot[] {
  const taken: SequenceSlot[] = []
  for (let slot = slots.take(); slot !== null; slot = slots.take()) taken.push(slot)
  return taken
}

it('the lowest slots of all instances are handed out first', () => {
  const lanes = [lane(), lane()]
  const taken = takeAll(new SequenceSlots(lanes, 2))
  expect(taken.map((slot) => [lanes.indexOf(slot.lane), slot.number])).toEqual([
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ])
})

it('a slot that comes back is handed out again, the lowest first, before new ones are made', () => {
  const lanes = [lane()]
  const slots = new SequenceSlots(lanes, 8)
  const taken = Array.from({ length: 5 }, () => slots.take() as SequenceSlot)
  for (const number of [3, 1, 4, 2]) slots.give(taken[number] as SequenceSlot)
  const again = Array.from({ length: 5 }, () => slots.take()?.number)
  expect(again).toEqual([1, 2, 3, 4, 5])
})

it('there is one slot at least, and never more than the limit', () => {
  expect(takeAll(new SequenceSlots([lane()], 0))).toHaveLength(1)
  expect(takeAll(new SequenceSlots([lane()], MAX_SEQUENCE_SLOTS * 2))).toHaveLength(
    MAX_SEQUENCE_SLOTS,
  )
})
