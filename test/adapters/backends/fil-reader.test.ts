import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { INLINE_FOREST_BYTES, threadedForestReader } from '../../../adapters/backends/fil-reader.ts'
import { readForest } from '../../../core/trees/read-forest.ts'
import { FIXTURES, predict, type TreeCase, treeCases } from '../../core/trees/cases.ts'

const folder = mkdtempSync(join(tmpdir(), 'fil-reader-'))
const worker = join(folder, 'fil-worker.mjs')
buildSync({
  entryPoints: [join(import.meta.dirname, '../../../adapters/backends/fil-worker.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: worker,
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const read = threadedForestReader({ url: pathToFileURL(worker) })

const one = treeCases(FIXTURES).find(({ name }) => name === 'xgb-binary') as TreeCase

/** The same model in a file that is large enough for a thread. */
const large = Buffer.concat([Buffer.from(one.bytes), Buffer.alloc(INLINE_FOREST_BYTES, ' ')])

test('a large file is read in a thread, and its forest says the same', async () => {
  const forest = await read('xgboost_json', large)
  expect(predict(forest, one.input, one.rows)).toEqual(
    predict(readForest('xgboost_json', one.bytes), one.input, one.rows),
  )
  expect(forest.thresholds.buffer).toBe(forest.nodes.buffer)
})

test('what is wrong with it is said as it is said of a small one', async () => {
  const wrong = Buffer.concat([Buffer.from('{'), large])
  const refusal = { code: 'INVALID_ARG', message: expect.stringMatching(/^no JSON/) }
  await expect(read('xgboost_json', wrong)).rejects.toMatchObject(refusal)
  await expect(read('xgboost_json', wrong.subarray(0, 100))).rejects.toMatchObject(refusal)
})

test('a load that is given up ends its thread', async () => {
  const given = new AbortController()
  const reading = read('xgboost_json', large, given.signal)
  given.abort(new Error('given up'))
  await expect(reading).rejects.toThrow('given up')
  await expect(read('xgboost_json', large, given.signal)).rejects.toThrow('given up')
})
