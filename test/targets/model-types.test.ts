import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ROOT } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-types-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'node_modules'))
symlinkSync(ROOT, join(folder, 'node_modules/nereid-server'))

/** What the compiler says of models' sources, by file. */
function compile(sources: Readonly<Record<string, string>>): string {
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const [file, source] of Object.entries(sources)) writeFileSync(join(folder, file), source)
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022']
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  try {
    execFileSync(process.execPath, [tsc, ...flags, '--types', '', ...Object.keys(sources)], {
      cwd: folder,
      encoding: 'utf8',
    })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

test('the package has types that models are checked against', () => {
  const good = `import type { Execute, Initialize, ModelContext } from 'nereid-server/model'
let context: ModelContext
export const initialize: Initialize = (given) => { context = given }
export const execute: Execute = async (requests) =>
  Promise.all(requests.map(async (request) => {
    const { shape, data } = request.input('X', 'FP32')
    const result = await context.infer('other', { X: { shape, data: data.map((x) => x * 2) } })
    return { outputs: { Y: { shape, data: result.output('Y', 'FP32').data } } }
  }))`
  const told = compile({
    'good.ts': good,
    'datatype.ts': good.replace("'FP32'", "'FP31'"),
    'answer.ts': good.replace('outputs:', 'output:'),
  })
  expect(told).toMatch(/^datatype\.ts\(6,.*FP31/m)
  expect(told).toMatch(/^answer\.ts\(5,/m)
  expect(told).not.toContain('good.ts')
})
