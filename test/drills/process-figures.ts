import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessFigures {
  /** Resident memory. */
  readonly rssMb: number
  readonly threads: number
  /** Open file descriptors. */
  readonly fds: number
}

/** What Linux says about a process. */
export function processFigures(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return {
    rssMb: field('VmRSS') / 1024,
    threads: field('Threads'),
    fds: readdirSync(`/proc/${pid}/fd`).length,
  }
}
