import { MAX_CONFIG_LENGTH, parseConfig } from '../config/pbtxt-parser.ts'
import { nearestPlace, type Places } from '../config/place.ts'
import type { ModelConfig } from '../config/types.ts'
import { brokenRules } from '../config/validate.ts'
import { messageOf } from '../errors.ts'
import type { ModelFiles } from '../repository/snapshot.ts'
import type { CheckOptions, Finding, Report } from './types.ts'

/**
 * The config as it is written, {} where there is none; undefined where it cannot be gone on with. All that is wrong with the
 * text is reported.
 */
export async function configFile(check: {
  readonly files: ModelFiles
  readonly places: Places
  readonly report: Report
  readonly options: CheckOptions
}): Promise<ModelConfig | undefined> {
  const { files, places, report, options } = check
  const { configPath: file, view } = files
  if (file === null) {
    if (options.autoComplete) return {}
    report('error', 'it has no config.pbtxt, and auto-completion of configs is disabled', {
      hint: `nereid inspect ${files.name} > ${files.name}/config.pbtxt`,
    })
    return undefined
  }
  const problems: Error[] = []
  let config: ModelConfig | undefined
  try {
    const bytes = await view.read(file, options.signal)
    if (bytes.length > MAX_CONFIG_LENGTH * 4) {
      throw new Error(`it has ${bytes.length} bytes, the limit is ${MAX_CONFIG_LENGTH}`)
    }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    config = parseConfig(text, { file, places, problems })
  } catch (error) {
    problems.push(error as Error)
  }
  for (const problem of problems) {
    const { message, ...where } = placed(messageOf(problem), file)
    report('error', message, where)
  }
  // What has no value would be missed by every rule that asks for it.
  const usable = problems.every(({ message }) => message.includes(': unknown field '))
  return usable ? config : undefined
}

/** Takes `file:line:column: ` from the front of a message. */
function placed(text: string, file: string): Pick<Finding, 'message' | 'file' | 'line' | 'column'> {
  const found = text.startsWith(`${file}:`)
    ? /^:(\d+):(\d+): (.*)$/s.exec(text.slice(file.length))
    : null
  if (found === null) return { message: text, file, line: 0, column: 0 }
  const [, line, column, message = ''] = found
  return { message, file, line: Number(line), column: Number(column) }
}

/** Reports every rule that a normalized config breaks. False where there is one. */
export function reportRules(
  config: ModelConfig,
  options: {
    readonly modelName: string
    readonly places: Places
    readonly file: string
    readonly report: Report
    readonly complete: boolean
    readonly gpus?: readonly number[]
  },
): boolean {
  const broken = brokenRules(config, options)
  for (const { path, message } of broken) {
    const { line = 0, column = 0 } = nearestPlace(options.places, path) ?? {}
    options.report('error', message, { file: options.file, line, column })
  }
  return broken.length === 0
}
