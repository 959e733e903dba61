import { expect, it } from 'vitest'
import { downloadReport, LARGE_BYTES } from '../../../adapters/stores/cache-report.ts'
import { testLog } from '../../helpers/test-log.ts'

it('a large download is told at its begin and its end, a small one in the verbose log alone', () => {
  for (const [bytes, level] of [
    [LARGE_BYTES, 'info'],
    [LARGE_BYTES - 1, 'verbose 1'],
  ] as const) {
    const { log, lines } = testLog()
    const report = downloadReport({ log, what: 's3://bucket/m/1', bytes })
    report.progress(bytes)
    report.done()
    expect(lines.at(-1)).toMatch(/downloaded s3:\/\/bucket\/m\/1: 64 MiB in \d+\.\d s$/)
    expect(new Set(lines.map((line) => line.split(':')[0]))).toEqual(new Set([level]))
    expect(lines).toHaveLength(level === 'info' ? 2 : 1)
  }
})
