import { describe, expect, it } from 'vitest'
import { chooseVersions, parseVersion } from '../../../core/repository/versions.ts'

describe('version folders', () => {
  it('are positive integers without leading zeros', () => {
    expect(parseVersion('1')).toBe(1)
    expect(parseVersion('20240131')).toBe(20240131)
    for (const no of ['0', '03', 'abc', '5x', '-1', '+1', '1.0', '1e3', '', ' 1', '0x1', '１']) {
      expect(parseVersion(no), no).toBeUndefined()
    }
  })

  it('end where numbers stop being exact', () => {
    expect(parseVersion('9007199254740991')).toBe(9007199254740991)
    expect(parseVersion('9007199254740992')).toBeUndefined()
  })
})

describe('a version policy', () => {
  it('serves the one highest version by default', () => {
    expect(chooseVersions(undefined, [2, 10, 9])).toEqual({ versions: [10], missing: [] })
    expect(chooseVersions({ latest: {} }, [2, 10, 9]).versions).toEqual([10])
  })

  it('latest serves the n highest, by number and not by name', () => {
    const policy = { latest: { num_versions: 2 } }
    expect(chooseVersions(policy, [1, 2, 10, 9]).versions).toEqual([9, 10])
    expect(chooseVersions(policy, [7]).versions).toEqual([7])
  })

  it('all serves everything that is there', () => {
    expect(chooseVersions({ all: {} }, [3, 1, 2]).versions).toEqual([1, 2, 3])
  })

  it('specific serves what it names and tells what is missing', () => {
    const policy = { specific: { versions: [3, 1, 9, 3] } }
    expect(chooseVersions(policy, [1, 2, 3])).toEqual({ versions: [1, 3], missing: [9] })
  })

  it('finds nothing where there is nothing', () => {
    expect(chooseVersions(undefined, []).versions).toEqual([])
    expect(chooseVersions({ specific: { versions: [4] } }, [1]).versions).toEqual([])
  })
})
