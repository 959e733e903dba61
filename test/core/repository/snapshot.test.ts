import { describe, expect, it } from 'vitest'
import { diffRepository, sameVersion } from '../../../core/repository/diff.ts'
import { fileMapStore } from '../../../core/repository/file-map.ts'
import { type ModelFiles, scanModel } from '../../../core/repository/snapshot.ts'
import { MAX_VERSIONS } from '../../../core/repository/versions.ts'
import { createRepository, modelFiles } from './harness.ts'

const repository = createRepository(modelFiles('m', { versions: [1, 2] }))
const store = fileMapStore({ root: 'root', files: repository.files })

async function scan(): Promise<ModelFiles> {
  const files = await scanModel(store, 'm', { configName: '' })
  if (files === undefined) throw new Error('no model')
  return files
}

describe('two scans of a model', () => {
  it('are equal when nothing changed and tell which version did', async () => {
    const before = await scan()
    const diff = (a: ModelFiles, b: ModelFiles) =>
      diffRepository(new Map([['m', a]]), new Map([['m', b]]))
    expect(diff(before, await scan())).toEqual({ added: [], changed: [], removed: [] })
    repository.put({ 'm/2/deep/er/weights.bin': 'new' })
    const after = await scan()
    expect(diff(before, after).changed).toEqual(['m'])
    expect(sameVersion(before, after, 1)).toBe(true)
    expect(sameVersion(before, after, 2)).toBe(false)
    expect(sameVersion(before, after, 3)).toBe(false)
  })

  it('differ for all versions when a file they share changed', async () => {
    const before = await scan()
    repository.put({ 'm/warmup/data.bin': 'x' })
    const after = await scan()
    expect(sameVersion(before, after, 1)).toBe(false)
  })

  it('see models that come and go', async () => {
    const files = await scan()
    expect(diffRepository(new Map(), new Map([['m', files]])).added).toEqual(['m'])
    expect(diffRepository(new Map([['m', files]]), new Map()).removed).toEqual(['m'])
  })
})

describe('a scan', () => {
  it('ends at a number of versions and says which it left out', async () => {
    const versions = Array.from({ length: MAX_VERSIONS + 2 }, (_, i) => i + 1)
    const many = createRepository(modelFiles('many', { versions }))
    const files = await scanModel(fileMapStore({ root: 'root', files: many.files }), 'many', {
      configName: '',
    })
    expect(files?.versions.size).toBe(MAX_VERSIONS)
    expect(files?.skipped).toHaveLength(2)
    expect(files?.skipped[0]).toContain('exceeds the 1000 versions')
  })

  it('finds no model where there is a file or nothing', async () => {
    const plain = fileMapStore({ root: 'root', files: new Map([['file', new Uint8Array(1)]]) })
    expect(await scanModel(plain, 'file', { configName: '' })).toBeUndefined()
    expect(await scanModel(plain, 'nope', { configName: '' })).toBeUndefined()
  })
})
