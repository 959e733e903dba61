import { describe, expect, it } from 'vitest'
import type { ServedModel } from '../../../core/server-types.ts'
import type { Candidate } from '../../../core/traffic/candidate.ts'
import { SmoothChoice } from '../../../core/traffic/smooth-choice.ts'
import { stickyChoice } from '../../../core/traffic/sticky-choice.ts'

function candidates(weights: Readonly<Record<number, number>>): Candidate[] {
  return Object.entries(weights).map(([version, weight]) => ({
    model: { version: Number(version) } as ServedModel,
    weight,
  }))
}

function draw(choice: SmoothChoice, count: number): number[] {
  return Array.from({ length: count }, () => choice.next()?.model.version ?? 0)
}

const share = (drawn: readonly number[], version: number): number =>
  drawn.filter((one) => one === version).length / drawn.length

describe('a choice by turns', () => {
  it('has nothing to choose from before it is told', () => {
    expect(new SmoothChoice().next()).toBeUndefined()
  })

  it('gives the small share one by one, not in a row', () => {
    const choice = new SmoothChoice()
    choice.set(candidates({ 1: 90, 2: 10 }))
    const drawn = draw(choice, 100)
    expect(share(drawn, 2)).toBe(0.1)
    for (let i = 0; i < 100; i += 10) expect(share(drawn.slice(i, i + 10), 2)).toBe(0.1)
  })

  it('keeps to shares that are no whole numbers in every stretch', () => {
    const choice = new SmoothChoice()
    choice.set(candidates({ 1: 1, 2: 1.7, 3: 0.3 }))
    const drawn = draw(choice, 3000)
    for (let i = 0; i + 30 <= 3000; i += 30) {
      expect(Math.abs(share(drawn.slice(i, i + 30), 2) - 17 / 30)).toBeLessThan(0.07)
    }
    expect(share(drawn, 3)).toBeCloseTo(0.1, 2)
  })

  it('keeps shares while weights change every few requests', () => {
    const choice = new SmoothChoice()
    const drawn: number[] = []
    let due = 0
    for (let i = 0; i < 400; i++) {
      const weight = (i * 7) % 40
      choice.set(candidates(weight === 0 ? { 1: 100 } : { 1: 100 - weight, 2: weight }))
      drawn.push(...draw(choice, 3))
      due += (3 * weight) / 100
    }
    expect(Math.abs(share(drawn, 2) * drawn.length - due)).toBeLessThan(6)
  })

  it('lets a newcomer neither catch up nor wait', () => {
    const choice = new SmoothChoice()
    for (let i = 0; i < 50; i++) {
      choice.set(candidates({ 1: 1, [i + 2]: 1 }))
      draw(choice, 3)
    }
    choice.set(candidates({ 1: 1, 99: 1 }))
    expect(draw(choice, 4).filter((version) => version === 99)).toHaveLength(2)
  })
})

describe('a sticky choice', () => {
  const values = Array.from({ length: 20_000 }, (_, i) => `user-${i}`)
  const choose = (weights: Readonly<Record<number, number>>, value: string): number =>
    stickyChoice(candidates(weights), value)?.model.version ?? 0

  it('has nothing to choose from where nothing serves', () => {
    expect(stickyChoice([], 'a')).toBeUndefined()
  })

  it('spreads values by weight', () => {
    const drawn = values.map((value) => choose({ 1: 90, 2: 10 }, value))
    expect(share(drawn, 2)).toBeGreaterThan(0.09)
    expect(share(drawn, 2)).toBeLessThan(0.11)
  })

  it('moves values only to the version whose share grows, and no more than it grows', () => {
    const before = values.map((value) => choose({ 1: 90, 2: 10 }, value))
    const after = values.map((value) => choose({ 1: 80, 2: 20 }, value))
    const moved = before.flatMap((version, i) => (version === after[i] ? [] : [after[i]]))
    expect(new Set(moved)).toEqual(new Set([2]))
    expect(moved.length / values.length).toBeLessThan(0.12)
  })

  it('leaves other values alone when a version goes', () => {
    const before = values.map((value) => choose({ 1: 50, 2: 30, 3: 20 }, value))
    const after = values.map((value) => choose({ 1: 50, 2: 30 }, value))
    for (const [i, version] of before.entries()) if (version !== 3) expect(after[i]).toBe(version)
  })
})
