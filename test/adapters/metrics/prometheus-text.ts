export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ParsedFamily {
  readonly type: string
  readonly help: string
  readonly samples: readonly ParsedSample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
const SAMPLE = new RegExp(`^(${NAME})(?:\\{((?:${LABEL})(?:,${LABEL})*)\\})? (\\S+)$`)
const SUFFIXES = ['', '_bucket', '_sum', '_count']

/** Reads Prometheus' text format strictly: an unknown line, a family twice, or a sample without its family is an error. */
export function parsePrometheus(text: string): ReadonlyMap<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed')
  const families = new Map<string, { type: string; help: string; samples: ParsedSample[] }>()
  const series = new Set<string>()
  let help: [name: string, text: string] | undefined
  let current = ''
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string]
      if (kind === 'HELP') help = [name, rest]
      else {
        if (families.has(name)) throw new Error(`family ${name} comes twice`)
        if (help?.[0] !== name) throw new Error(`no help in front of the type of ${name}`)
        families.set(name, { type: rest, help: help[1], samples: [] })
        current = name
      }
      continue
    }
    const sample = SAMPLE.exec(line)
    if (sample === null) throw new Error(`not Prometheus text: ${line}`)
    const [, name = '', labelText = '', valueText = ''] = sample
    if (!SUFFIXES.some((suffix) => name === current + suffix)) {
      throw new Error(`${name} stands in the family of ${current}`)
    }
    if (series.has(`${name}{${labelText}}`)) throw new Error(`series twice: ${line}`)
    series.add(`${name}{${labelText}}`)
    families.get(current)!.samples.push({
      name,
      labels: parseLabels(labelText),
      value: parseValue(valueText),
    })
  }
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, name = '', value = ''] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    if (name in labels) throw new Error(`label ${name} comes twice`)
    labels[name] = value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
  }
  return labels
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === 'Nan' || text === 'NaN') return Number.NaN
  const value = Number(text)
  if (Number.isNaN(value)) throw new Error(`not a value: ${text}`)
  return value
}
