import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { nodeLog } from '../../../adapters/platform/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-log-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a log file is appended to, line by line, with the time of now', () => {
  const file = join(folder, 'server.log')
  writeFileSync(file, 'earlier\n')
  const before = Date.now()
  const { log, close } = nodeLog({ settings: { log_file: file, log_format: 'ISO8601' } })
  log.info('one')
  log.error('two\nlines')
  const text = readFileSync(file, 'utf8').split('\n')
  expect(text[0]).toBe('earlier')
  expect(text[1]).toMatch(new RegExp(` I ${process.pid} nereid:1\\] "one"$`))
  expect(text[2]).toMatch(/ "two\\nlines"$/)
  const stamp = Date.parse((text[1] as string).split(' ')[0] as string)
  expect(stamp).toBeGreaterThanOrEqual(Math.floor(before / 1000) * 1000)
  expect(stamp).toBeLessThanOrEqual(Date.now())
  expect(log.get().log_file).toBe(file)
  close()
  close()
})

test('a log file that cannot be opened is told at once', () => {
  expect(() => nodeLog({ settings: { log_file: join(folder, 'no', 'folder') } })).toThrow(/ENOENT/)
})
