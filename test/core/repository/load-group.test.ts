import { describe, expect, it } from 'vitest'
import { LoadGroup } from '../../../core/repository/load-group.ts'

describe('loads that belong together', () => {
  it('bring each model once', async () => {
    const brought: string[] = []
    const group = new LoadGroup(async (name) => void brought.push(name))
    group.add('known', Promise.resolve())
    await Promise.all([group.ready('x', ['a', 'known']), group.ready('y', ['a', 'b'])])
    expect(brought).toEqual(['a', 'b'])
    expect(['a', 'b', 'known', 'c'].map((name) => group.has(name))).toEqual([
      true,
      true,
      true,
      false,
    ])
  })

  it('wait for each other, whatever becomes of them', async () => {
    const group = new LoadGroup()
    const order: string[] = []
    group.add(
      'a',
      Promise.resolve().then(() => void order.push('a')),
    )
    group.add('b', Promise.reject(new Error('broken')))
    await group.ready('x', ['a', 'b', 'nobody'])
    order.push('x')
    expect(order).toEqual(['a', 'x'])
  })

  it('never wait for themselves', async () => {
    const group: LoadGroup = new LoadGroup(async (name) => {
      await Promise.resolve()
      await group.ready(name, { a: ['b'], b: ['c'], c: ['a'], self: ['self'] }[name] ?? [])
    })
    await group.ready('a', ['b'])
    await group.ready('self', ['self'])
  })
})
