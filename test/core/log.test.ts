import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLog } from '../../core/log.ts'
import { logPrefix } from '../../core/log-line.ts'

function captured() {
  const written: string[] = []
  const log = createLog({
    write: (text) => written.push(text),
    epochUs: () => Date.UTC(2026, 10, 21, 3, 14, 8) * 1000 + 465_874,
    pid: 2579,
  })
  return { log, lines: () => written }
}

test('lines look as Triton writes them', () => {
  const { log, lines } = captured()
  log.error('a "quoted" failure')
  log.warning('w')
  log.info('i')
  log.set({ log_format: 'ISO8601', log_verbose_level: 1 })
  log.verbose(1, 'v')
  expect(lines()).toEqual([
    'E1121 03:14:08.465874 2579 nereid:1] "a \\"quoted\\" failure"\n',
    'W1121 03:14:08.465874 2579 nereid:1] "w"\n',
    'I1121 03:14:08.465874 2579 nereid:1] "i"\n',
    '2026-11-21T03:14:08Z I 2579 nereid:1] "v"\n',
  ])
})

test('each level has its own switch, and verbose messages their level', () => {
  const { log, lines } = captured()
  log.set({ log_error: false, log_warning: false, log_info: false })
  log.error('e')
  log.warning('w')
  log.info('i')
  log.table(['t'])
  log.verbose(1, 'v')
  expect(lines()).toEqual([])
  expect(log.enabled('verbose')).toBe(false)
  log.set({ log_verbose_level: 2 })
  log.verbose(3, 'too deep')
  log.verbose(2, 'deep')
  expect(lines()).toHaveLength(1)
  expect(log.enabled('verbose')).toBe(true)
  expect(log.enabled('error')).toBe(false)
})

test('the calendar of a line is that of UTC for every date', () => {
  const seconds = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 })
  fc.assert(
    fc.property(seconds, (at) => {
      const head = { level: 'info', format: 'ISO8601', pid: 1, source: 's' } as const
      const expected = new Date(at * 1000).toISOString().replace('.000Z', 'Z')
      expect(logPrefix({ ...head, epochUs: at * 1e6 })).toBe(`${expected} I 1 s] `)
    }),
    { numRuns: 2000, seed: 7 },
  )
})
