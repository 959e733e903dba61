import { describe, expect, it } from 'vitest'
import {
  BINDING_GRACE_NS,
  MAX_ENDED_BINDINGS,
  SequenceBindings,
} from '../../../core/traffic/sequence-bindings.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

describe('what is known of sequences', () => {
  it('is the version each began on, also for an end that is sent again', () => {
    const bindings = new SequenceBindings(createFakeClock(), 1e9)
    bindings.bind({ sequenceId: 1n }, 3)
    expect(bindings.find({ sequenceId: 1n })).toBe(3)
    expect(bindings.find({ sequenceId: 1n, sequenceEnd: true })).toBe(3)
    // The first one may have been refused.
    expect(bindings.find({ sequenceId: 1n, sequenceEnd: true })).toBe(3)
    expect(bindings.size).toBe(0)
    bindings.bind({ sequenceId: 1n, sequenceEnd: true }, 4)
    expect(bindings.find({ sequenceId: 1n })).toBeUndefined()
  })

  it('is forgotten of ends when there were many others', () => {
    const bindings = new SequenceBindings(createFakeClock(), 1e9)
    for (let id = 0; id <= MAX_ENDED_BINDINGS; id++) {
      bindings.bind({ sequenceId: `s${id}` }, 1)
      bindings.find({ sequenceId: `s${id}`, sequenceEnd: true })
    }
    expect(bindings.find({ sequenceId: 's0' })).toBeUndefined()
    expect(bindings.find({ sequenceId: 's1' })).toBe(1)
  })

  it('keeps owners and kinds of ids apart', () => {
    const bindings = new SequenceBindings(createFakeClock(), 1e9)
    bindings.bind({ sequenceId: 1n, owner: 'a' }, 1)
    bindings.bind({ sequenceId: 1n, owner: 'b' }, 2)
    bindings.bind({ sequenceId: '1', owner: 'a' }, 3)
    expect(bindings.find({ sequenceId: 1n, owner: 'a' })).toBe(1)
    expect(bindings.find({ sequenceId: 1n, owner: 'b' })).toBe(2)
    expect(bindings.find({ sequenceId: '1', owner: 'a' })).toBe(3)
    expect(bindings.find({ sequenceId: '1', owner: 'b' })).toBeUndefined()
  })

  it('does not include a sequence of one request', () => {
    const bindings = new SequenceBindings(createFakeClock(), 1e9)
    bindings.bind({ sequenceId: 1n, sequenceEnd: true }, 1)
    expect(bindings.size).toBe(0)
  })

  it('is forgotten of those that were quiet too long, when another begins', () => {
    const clock = createFakeClock()
    const bindings = new SequenceBindings(clock, 1e9)
    bindings.bind({ sequenceId: 1n }, 1)
    bindings.bind({ sequenceId: 2n }, 1)
    clock.advance(1e9)
    expect(bindings.find({ sequenceId: 1n })).toBe(1)
    clock.advance(BINDING_GRACE_NS)
    bindings.bind({ sequenceId: 3n }, 1)
    expect(bindings.find({ sequenceId: 2n })).toBeUndefined()
    expect(bindings.find({ sequenceId: 1n })).toBe(1)
    expect(bindings.size).toBe(2)
  })
})
