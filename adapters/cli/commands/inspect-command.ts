import { styleText } from 'node:util'
import { escapeControls } from '../../../core/log-line.ts'
import { type CommandFlag, type CommandHelp, MisuseError } from './arguments.ts'
import { type InspectOptions, inspectModel } from './inspect.ts'
import { inspectTarget } from './inspect-target.ts'
import { inspectionJson, inspectionPbtxt, inspectionTable } from './inspect-text.ts'
import type { CommandOutput } from './output.ts'

export const INSPECT_FLAGS: readonly CommandFlag[] = [
  {
    name: 'format',
    choices: ['pbtxt', 'table', 'json'],
    help: 'What is printed on standard output. Default pbtxt',
  },
]

export const INSPECT_HELP: CommandHelp = {
  synopsis: 'nereid inspect [--format pbtxt|table|json] FILE|FOLDER',
  purpose: `Prints the config.pbtxt that a model would get: of a model file, a version's folder or a model's folder.
Models that are code (Python, TypeScript, plug-ins) are run for it.

  nereid inspect model.onnx > config.pbtxt`,
  flags: INSPECT_FLAGS,
}

/** `nereid inspect`: 0 = it would be served, 1 = it would not. Throws MisuseError, and what the model's load throws. */
export async function inspectCommand(
  paths: readonly string[],
  flags: ReadonlyMap<string, string>,
  options: Omit<InspectOptions, 'target'>,
  output: CommandOutput,
): Promise<number> {
  const [path, ...more] = paths
  if (path === undefined || more.length > 0) {
    throw new MisuseError('inspect takes one file or folder')
  }
  const inspection = await inspectModel({ ...options, target: await inspectTarget(path) })
  const format = flags.get('format') ?? 'pbtxt'
  if (format === 'json') output.out(inspectionJson(inspection))
  else if (format === 'table') output.out(escapeLines(inspectionTable(inspection)))
  else {
    output.err(escapeLines(inspectionTable(inspection)))
    output.out(inspectionPbtxt(inspection))
  }
  if (inspection.problem === '') return 0
  output.err(
    `${styleText('red', 'It would not be served')}: ${escapeControls(inspection.problem)}\n`,
  )
  return 1
}

const escapeLines = (text: string): string => text.split('\n').map(escapeControls).join('\n')
