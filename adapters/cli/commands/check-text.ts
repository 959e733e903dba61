import { styleText } from 'node:util'
import type { CheckResult, Finding } from '../../../core/check/types.ts'
import { escapeControls } from '../../../core/log-line.ts'

/** For programs. */
export function checkJson({ findings, models }: CheckResult): string {
  return `${JSON.stringify({ models, findings }, null, 2)}\n`
}

/** A line for each finding, as compilers print them: `error: resnet/config.pbtxt:3:5: message`. */
export function checkLines({ findings }: CheckResult): string {
  return findings.map((one) => `${one.severity}: ${placeOf(one)}${oneLine(told(one))}\n`).join('')
}

/** Findings under the model that they are about, for a person. */
export function checkTable({ findings, models }: CheckResult): string {
  const lines: string[] = []
  const failing = new Set(findings.map(({ model }) => model))
  for (const model of ['', ...models]) {
    const own = findings.filter((one) => one.model === model)
    if (own.length === 0) continue
    lines.push(styleText('bold', model === '' ? 'repository' : escapeControls(model)))
    for (const one of own) {
      const { severity, message, hint } = one
      const word =
        severity === 'error' ? styleText('red', 'error  ') : styleText('yellow', 'warning')
      const place = within(one)
      lines.push(
        `  ${word}  ${place === '' ? '' : `${styleText('dim', place)}  `}${oneLine(message)}`,
      )
      if (hint !== '') lines.push(`           ${styleText('cyan', oneLine(hint))}`)
    }
    lines.push('')
  }
  const fine = models.filter((model) => !failing.has(model))
  if (fine.length > 0)
    lines.push(`${styleText('green', 'fine')}  ${fine.map(escapeControls).join(', ')}`)
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/** `3 models: 2 errors, 1 warning` */
export function checkSummary({ findings, models }: CheckResult): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
  return `${many(models.length, 'model')}: ${many(errors, 'error')}, ${many(findings.length - errors, 'warning')}\n`
}

function told({ message, hint }: Finding): string {
  return hint === '' ? message : `${message} (${hint})`
}

function placeOf(finding: Finding): string {
  const { model, version, file } = finding
  if (file !== '') return `${escapeControls(file)}${position(finding)}: `
  if (model === '') return ''
  return `${escapeControls(model)}${version === 0 ? '' : ` version ${version}`}: `
}

/** Where in the model it is. */
function within(finding: Finding): string {
  const { model, version, file } = finding
  if (file === '') return version === 0 ? '' : `version ${version}`
  const own = file.startsWith(`${model}/`) ? file.slice(model.length + 1) : file
  return `${escapeControls(own)}${position(finding)}`
}

const position = ({ line, column }: Finding): string => (line === 0 ? '' : `:${line}:${column}`)

const oneLine = (text: string): string => escapeControls(text.replace(/\s*[\r\n]+\s*/g, ' '))
