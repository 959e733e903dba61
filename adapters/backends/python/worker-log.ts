import type { Log } from '../../../core/platform.ts'
import type { Message } from './messages.ts'

/** Longer messages are cut. Characters. */
const MAX_MESSAGE = 65_536

/** What a model has logged, with where in its code. */
export function writeLog(log: Log, { level, message, file, line }: Message): void {
  const where = typeof file === 'string' ? ` (${file.slice(0, 256)}:${Number(line)})` : ''
  const text = `${String(message).slice(0, MAX_MESSAGE)}${where}`
  if (level === 'verbose') log.verbose(1, text)
  else if (level === 'error' || level === 'warning') log[level](text)
  else log.info(text)
}
