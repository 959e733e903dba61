import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { cpuMetrics } from '../../../adapters/metrics/cpu.ts'

const proc = mkdtempSync(join(tmpdir(), 'nereid-proc-'))
afterAll(() => rmSync(proc, { recursive: true }))

const stat = (text: string) => writeFileSync(join(proc, 'stat'), `cpu  ${text}\ncpu0 1 2 3 4\n`)
const read = (metrics: ReturnType<typeof cpuMetrics>) =>
  Object.fromEntries(metrics().map(({ family, samples }) => [family.name, samples[0]?.value]))

test('utilization is the busy share of the time since the last reading', () => {
  let now = 0
  stat('100 0 100 800 0 0 0 0 0 0')
  writeFileSync(join(proc, 'meminfo'), 'MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n')
  const metrics = cpuMetrics({ intervalMs: 2000, now: () => now, proc })
  stat('130 10 110 840 10 5 3 2 0 0') // busy 60 more, idle 50 more
  now = 1999
  expect(read(metrics)['nv_cpu_utilization']).toBe(0) // too early for a new figure
  now = 2000
  expect(read(metrics)).toEqual({
    nv_cpu_utilization: 60 / 110,
    nv_cpu_memory_total_bytes: 1000 * 1024,
    nv_cpu_memory_used_bytes: 600 * 1024,
  })
})

test('a machine that does not say has no series', () => {
  const metrics = cpuMetrics({ intervalMs: 0, now: () => 0, proc: join(proc, 'nothing') })
  expect(metrics()).toEqual([])
})

test('this machine says it', () => {
  let now = 0
  const metrics = cpuMetrics({ intervalMs: 0, now: () => now++ })
  const figures = read(metrics)
  if (process.platform !== 'linux') return
  expect(figures['nv_cpu_utilization']).toBeGreaterThanOrEqual(0)
  expect(figures['nv_cpu_utilization']).toBeLessThanOrEqual(1)
  expect(figures['nv_cpu_memory_total_bytes']).toBeGreaterThan(
    figures['nv_cpu_memory_used_bytes'] as number,
  )
})
