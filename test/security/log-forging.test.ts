import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLog } from '../../core/log.ts'
import { MAX_LOG_LINE_BYTES } from '../../core/log-line.ts'
import type { LogSettings } from '../../core/server-types.ts'

/** A log whose whole output is kept, with the time stopped. */
function captured(settings: Partial<LogSettings> = {}) {
  const written: string[] = []
  const log = createLog({
    write: (text) => written.push(text),
    epochUs: () => Date.UTC(2026, 10, 21, 3, 14, 8) * 1000 + 465_874,
    pid: 2579,
    settings,
  })
  return { log, text: () => written.join('') }
}

const DEFAULT_LINE =
  /^[EWI](\d{4}) (\d\d):(\d\d):(\d\d)\.(\d{6}) 2579 nereid:1\] ("(?:[^"\\]|\\.)*")\n$/u
const ISO_LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [EWI] 2579 nereid:1\] ("(?:[^"\\]|\\.)*")\n$/u

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    'id\r\nE1121 03:14:08.465874 2579 nereid:1] "forged"',
    '\u001b[2J\u001b]0;owned\u0007',
    '\u009b31m',
    'a\u2028b\u2029c',
    '"] quoted \\',
    '\u0000',
    '\ud800 alone',
  ),
)

test('whatever a client puts into a message, it stays one record of the log', () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom('default' as const, 'ISO8601' as const), (id, format) => {
      const { log, text } = captured({ log_format: format })
      log.error(`[request id: ${id}] failed`)
      const line = text()
      const match = (format === 'default' ? DEFAULT_LINE : ISO_LINE).exec(line)
      expect(match).not.toBeNull()
      expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
      const quoted = match?.at(-1) as string
      expect(JSON.parse(quoted)).toBe(`[request id: ${id}] failed`)
    }),
    { numRuns: 3000, seed: 20_261_121 },
  )
})

test('a table cannot be torn by control characters in its cells', () => {
  const { log, text } = captured()
  log.table(['| model\r\nforged | \u001b[31m |'])
  expect(text().split('\n')).toEqual([
    'I1121 03:14:08.465874 2579 nereid:1] ',
    '| model\\r\\nforged | \\u001b[31m |',
    '',
    '',
  ])
})

for (const [what, message] of [
  ['plain text', 'x'.repeat(100_000)],
  ['text that grows when it is escaped', '\u001b'.repeat(50_000)],
  ['text of several bytes per character', '😀'.repeat(20_000)],
] as const) {
  test(`a line of ${what} ends at 16 KiB and says how much is missing`, () => {
    const { log, text } = captured()
    log.info(message)
    const line = text()
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LOG_LINE_BYTES + 1)
    expect(Buffer.byteLength(line)).toBeGreaterThan(MAX_LOG_LINE_BYTES - 200)
    expect(line).toMatch(/\.\.\. \(\d+ more characters\)"\n$/)
    expect(DEFAULT_LINE.test(line)).toBe(true)
  })
}

test('a message that just fits is not cut', () => {
  const { log, text } = captured()
  const prefix = 'I1121 03:14:08.465874 2579 nereid:1] ""'.length
  const message = 'x'.repeat(MAX_LOG_LINE_BYTES - prefix)
  log.info(message)
  expect(text()).toHaveLength(MAX_LOG_LINE_BYTES + 1)
  expect(text()).toContain(message)
})

test('a client can move neither the log file nor the log to an unknown format', () => {
  const { log } = captured()
  expect(() => log.set({ log_file: '/etc/passwd' })).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED',
      message: 'log file location can not be updated through network protocol',
    }),
  )
  expect(() => log.set({ log_format: 'x' as 'default' })).toThrow(
    expect.objectContaining({
      code: 'UNAVAILABLE',
      message: 'invalid argument for --log_format, got: x',
    }),
  )
  expect(() => log.set({ log_verbose_level: -1 })).toThrow()
  expect(log.get()).toEqual({
    log_file: '',
    log_info: true,
    log_warning: true,
    log_error: true,
    log_verbose_level: 0,
    log_format: 'default',
  })
})
