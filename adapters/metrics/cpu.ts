import { readFileSync } from 'node:fs'
import { CPU_FAMILIES } from '../../core/metrics/families.ts'
import type { FamilySamples } from '../../core/metrics/model-series.ts'

interface CpuTimes {
  readonly busy: number
  readonly idle: number
}

export interface CpuMetricsOptions {
  /** Shortest time over which utilization is averaged, milliseconds (`--metrics-interval-ms`). */
  readonly intervalMs: number
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Where the kernel says it. Default `/proc`. */
  readonly proc?: string
}

/**
 * Utilization of the whole machine since the last reading and its memory, from Linux' `/proc`; nothing on systems
 * without it, as Triton has nothing there.
 */
export function cpuMetrics(options: CpuMetricsOptions): () => readonly FamilySamples[] {
  const proc = options.proc ?? '/proc'
  let last = readTimes(proc)
  let lastAt = options.now()
  let utilization = 0

  return () => {
    const now = options.now()
    const times = now - lastAt >= options.intervalMs ? readTimes(proc) : undefined
    if (times !== undefined && last !== undefined) {
      const busy = Math.max(0, times.busy - last.busy)
      const idle = Math.max(0, times.idle - last.idle)
      utilization = busy + idle === 0 ? utilization : busy / (busy + idle)
      last = times
      lastAt = now
    }
    const memory = readMemory(proc)
    return [
      ...(last === undefined ? [] : [gauge('utilization', utilization)]),
      ...(memory === undefined
        ? []
        : [gauge('memoryTotal', memory.total), gauge('memoryUsed', memory.used)]),
    ]
  }
}

function gauge(key: keyof typeof CPU_FAMILIES, value: number): FamilySamples {
  return { family: CPU_FAMILIES[key], samples: [{ labels: {}, value }] }
}

function readTimes(proc: string): CpuTimes | undefined {
  const line = /^cpu +(.*)$/m.exec(readText(`${proc}/stat`))?.[1]
  if (line === undefined) return undefined
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    line.split(' ').map(Number)
  return { busy: user + nice + system + irq + softirq + steal, idle: idle + iowait }
}

function readMemory(proc: string): { total: number; used: number } | undefined {
  const text = readText(`${proc}/meminfo`)
  const total = kilobytes(text, 'MemTotal')
  const available = kilobytes(text, 'MemAvailable')
  if (total === undefined || available === undefined || available > total) return undefined
  return { total, used: total - available }
}

function kilobytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found) * 1024
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
