import { type Field, MESSAGES } from './fields.ts'
import { shortestFloat } from './scalars.ts'
import type { ModelConfig } from './types.ts'

/** `config` in protobuf's text format, one field a line; `parseConfig` gives the same config back. */
export function printConfig(config: ModelConfig): string {
  const lines: string[] = []
  printMessage(lines, 'ModelConfig', config as Readonly<Record<string, unknown>>, '')
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function printMessage(
  lines: string[],
  type: string,
  message: Readonly<Record<string, unknown>>,
  indent: string,
): void {
  for (const field of MESSAGES[type] ?? []) {
    const value = message[field.name]
    if (value === undefined) continue
    if (field.label === 'many') {
      printList(lines, field, value as readonly unknown[], indent)
    } else if (field.label === 'map') {
      for (const [key, entry] of Object.entries(value as object)) {
        lines.push(`${indent}${field.name} {`)
        lines.push(`${indent}  key: ${field.key === 'uint64' ? key : quoted(key)}`)
        printField(lines, { ...field, name: 'value' }, entry, `${indent}  `)
        lines.push(`${indent}}`)
      }
      if (Object.keys(value as object).length === 0) lines.push(`${indent}${field.name}: []`)
    } else {
      printField(lines, field, value, indent)
    }
  }
}

function printList(
  lines: string[],
  field: Field,
  values: readonly unknown[],
  indent: string,
): void {
  if (field.kind === 'message' && values.length > 0) {
    for (const value of values) printField(lines, field, value, indent)
  } else {
    lines.push(`${indent}${field.name}: [${values.map((v) => scalarText(field, v)).join(', ')}]`)
  }
}

function printField(lines: string[], field: Field, value: unknown, indent: string): void {
  if (field.kind !== 'message') {
    lines.push(`${indent}${field.name}: ${scalarText(field, value)}`)
    return
  }
  lines.push(`${indent}${field.name} {`)
  const message = value as Readonly<Record<string, unknown>>
  printMessage(lines, field.message ?? '', message, `${indent}  `)
  lines.push(`${indent}}`)
}

function scalarText(field: Field, value: unknown): string {
  if (field.kind === 'string') return quoted(String(value))
  if (typeof value !== 'number') return String(value)
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (Object.is(value, -0)) return field.kind === 'float' || field.kind === 'double' ? '-0.0' : '0'
  return String(field.kind === 'float' ? shortestFloat(value) : value)
}

const ESCAPED: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
  "'": "\\'",
  '\\': '\\\\',
}

function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be escaped.
  const body = text.replace(/[\u0000-\u001f"'\\\u007f]/g, (char) => {
    return ESCAPED[char] ?? `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
  return `"${body}"`
}
