import { describe, expect, it } from 'vitest'
import type { LoadedModel } from '../../../core/model/model.ts'
import { ModelRecord, VersionRecord } from '../../../core/repository/lifecycle.ts'

const model = {} as LoadedModel
const other = {} as LoadedModel
const atOnce = async () => {}

describe('a version', () => {
  it('goes from loading to ready to unloading to unavailable', async () => {
    const version = new VersionRecord(1)
    expect(version.state).toBe('UNKNOWN')
    version.startLoading()
    expect(version.state).toBe('LOADING')
    expect(version.serve(model)).toBeNull()
    expect([version.state, version.model]).toEqual(['READY', model])
    let gone = (): void => {}
    const unloaded = version.unload(
      () =>
        new Promise((resolve) => {
          gone = resolve
        }),
    )
    expect([version.state, version.model]).toEqual(['UNLOADING', null])
    gone()
    await unloaded
    expect([version.state, version.reason]).toEqual(['UNAVAILABLE', 'unloaded'])
  })

  it('stays ready while its successor loads, also when that fails', () => {
    const version = new VersionRecord(1)
    version.startLoading()
    version.serve(model)
    version.startLoading()
    expect(version.state).toBe('READY')
    version.fail('no')
    expect([version.state, version.reason, version.model]).toEqual(['READY', '', model])
    expect(version.serve(other)).toBe(model)
  })

  it('keeps a newer state when an old unload ends late', async () => {
    const version = new VersionRecord(1)
    version.startLoading()
    version.serve(model)
    let gone = (): void => {}
    const unloaded = version.unload(
      () =>
        new Promise((resolve) => {
          gone = resolve
        }),
    )
    version.startLoading()
    version.serve(other)
    gone()
    await unloaded
    expect([version.state, version.model]).toEqual(['READY', other])
  })

  it('cannot serve without having been loaded', async () => {
    expect(() => new VersionRecord(1).serve(model)).toThrow('cannot go from UNKNOWN to READY')
    expect(() => new VersionRecord(1).fail('no')).toThrow('cannot go from UNKNOWN to UNAVAILABLE')
    await new VersionRecord(1).unload(atOnce)
  })
})

describe('a model', () => {
  it('is healthy while every version serves or was taken down on purpose', async () => {
    const record = new ModelRecord('m')
    expect(record.healthy).toBe(true)
    record.version(1).startLoading()
    expect(record.healthy).toBe(false)
    record.version(1).serve(model)
    record.version(2).startLoading()
    record.version(2).fail('broken')
    expect(record.healthy).toBe(false)
    record.version(2).forget()
    expect(record.healthy).toBe(true)
    await record.version(1).unload(atOnce)
    expect(record.healthy).toBe(true)
    record.problem = 'config is broken'
    expect(record.healthy).toBe(false)
  })
})
