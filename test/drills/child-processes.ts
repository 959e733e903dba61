import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ChildProcess {
  readonly pid: number
  /** What it calls itself: a worker, its instance. */
  readonly name: string
  /** As `ps` has it; Z = dead, and nobody asked how it ended. */
  readonly state: string
}

/** The processes that `parent` started and that still have an entry. */
export function childProcesses(parent: number): readonly ChildProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const { state, of, called } = statOf(name)
      return of === parent ? [{ pid: Number(name), name: called, state }] : []
    })
}

/** The name may have any character, so that it ends with the last parenthesis. */
function statOf(name: string): {
  readonly state: string
  readonly of: number
  readonly called: string
} {
  let text = ''
  try {
    text = readFileSync(`/proc/${name}/stat`, 'utf8')
  } catch {
    // It ended since the folder was read.
  }
  const end = text.lastIndexOf(')')
  const [state = '', of] = text.slice(end + 2).split(' ')
  return { state, of: Number(of), called: text.slice(text.indexOf('(') + 1, end) }
}

/** Memory files that a process holds open. */
export function memoryFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).includes('memfd:')
    } catch {
      return false
    }
  }).length
}
