import type { Log } from '../../core/platform.ts'

/** A log that keeps its lines: `warning: text`. */
export function testLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (text: string) => void lines.push(`${level}: ${text}`)
  const verbose = (level: number, text: string) => void lines.push(`verbose ${level}: ${text}`)
  return {
    log: { error: at('error'), warning: at('warning'), info: at('info'), verbose },
    lines,
  }
}
