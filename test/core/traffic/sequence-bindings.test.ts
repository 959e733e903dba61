import { describe, expect, it } from 'vitest'
import { BINDING_GRACE_NS, SequenceBindings } from '../../../core/traffic/sequence-bindings.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

describe('what is known of sequences', () => {
  it('is the version each began on, until it ends', () => {
    const bindings = new SequenceBindings(createFakeClock(), 1e9)
    bindings.bind({ sequenceId: 1n }, 3)
    expect(bindings.find({ sequenceId: 1n })).toBe(3)
    expect(bindings.find({ sequenceId: 1n, sequenceEnd: true })).toBe(3)
    expect(bindings.find({ sequenceId: 1n })).toBeUndefined()
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
