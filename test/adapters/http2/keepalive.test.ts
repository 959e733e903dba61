import { describe, expect, it } from 'vitest'
import { Keepalive } from '../../../adapters/http2/keepalive.ts'
import { DEFAULT_KEEPALIVE } from '../../../adapters/http2/limits.ts'
import type { KeepaliveOptions } from '../../../adapters/http2/types.ts'

const HOUR = 3_600_000
const keepalive = (options: Partial<KeepaliveOptions> = {}, random = 0.5) =>
  new Keepalive({ ...DEFAULT_KEEPALIVE, ...options }, 0, random)

describe('keepalive', () => {
  it('pings a silent peer that has calls, and gives it up without an answer', () => {
    const one = keepalive({ timeMs: 1_000, timeoutMs: 200 })
    expect(one.sweep(999, false, true)).toBe('none')
    expect(one.sweep(1_000, false, true)).toBe('ping')
    expect(one.sweep(1_199, false, true)).toBe('none')
    expect(one.sweep(1_200, false, true)).toBe('dead')
  })

  it('takes anything that is heard for an answer', () => {
    const one = keepalive({ timeMs: 1_000, timeoutMs: 200 })
    expect(one.sweep(1_000, false, true)).toBe('ping')
    expect(one.sweep(1_100, true, true)).toBe('none')
    expect(one.sweep(2_099, false, true)).toBe('none')
    expect(one.sweep(2_100, false, true)).toBe('ping')
  })

  it('leaves a peer without calls alone unless told otherwise', () => {
    expect(keepalive({ timeMs: 1 }).sweep(HOUR, false, false)).toBe('none')
    const permitted = keepalive({ timeMs: 1, permitWithoutCalls: true })
    expect(permitted.sweep(HOUR, false, false)).toBe('ping')
  })

  it('retires a connection at its age, within a tenth, and cuts it after the grace', () => {
    const options = { maxConnectionAgeMs: 1_000, maxConnectionAgeGraceMs: 50 }
    const young = keepalive(options, 0)
    expect(young.sweep(899, true, true)).toBe('none')
    expect(young.sweep(900, true, true)).toBe('retire')
    expect(young.sweep(949, true, true)).toBe('none')
    expect(young.sweep(950, true, true)).toBe('cut')
    expect(keepalive(options, 0.999).sweep(1_099, true, true)).toBe('none')
    const graceless = keepalive({ maxConnectionAgeMs: 1_000 })
    expect(graceless.sweep(1_000, true, true)).toBe('retire')
    expect(graceless.sweep(HOUR, true, true)).toBe('none')
  })

  it('forgives two pings that come too early and no third', () => {
    const one = keepalive()
    expect([0, 1, 2, 3].map((now) => one.pinged(now, false, true))).toEqual([
      false,
      false,
      false,
      true,
    ])
  })

  it('forgives all of them when a response was sent since', () => {
    const one = keepalive()
    for (let now = 0; now < 20; now++) expect(one.pinged(now, now % 2 === 0, true)).toBe(false)
  })

  it('allows a ping each interval with calls, and each two hours without', () => {
    const withCalls = keepalive()
    const without = keepalive()
    const strikes = [1, 2, 3, 4, 5].map((n) => ({
      with: withCalls.pinged(n * 300_000, false, true),
      without: without.pinged(n * 300_000, false, false),
    }))
    expect(strikes.map((one) => one.with)).toEqual([false, false, false, false, false])
    expect(strikes.map((one) => one.without)).toEqual([false, false, false, true, true])
  })

  it('never strikes where strikes are unlimited', () => {
    const one = keepalive({ maxPingStrikes: 0 })
    for (let now = 0; now < 100; now++) expect(one.pinged(now, false, true)).toBe(false)
  })
})
