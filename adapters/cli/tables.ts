import type { ServeOptions } from './options.ts'

/** An ASCII table as Triton logs them: a head between rules, left-aligned cells. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const line = (cells: readonly string[]): string =>
    `|${widths.map((width, column) => ` ${(cells[column] ?? '').padEnd(width)} `).join('|')}|`
  return [rule, line(head), rule, ...rows.map(line), rule]
}

/** Line breaks in a cell would tear the table. */
const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, ' ')

export interface ModelRow {
  readonly name: string
  readonly version: string
  readonly status: string
}

export function modelTable(rows: readonly ModelRow[]): readonly string[] {
  return table(
    ['Model', 'Version', 'Status'],
    rows.map((row) => [row.name, row.version, oneLine(row.status)]),
  )
}

/** The backends and what each is configured with; they have no library path of their own here. */
export function backendTable(names: readonly string[], options: ServeOptions): readonly string[] {
  const rows = names.map((name) => {
    const cmdline = {
      'auto-complete-config': String(!options.disableAutoComplete),
      'default-max-batch-size': '4',
      ...Object.fromEntries(options.backendConfig.get('') ?? []),
      ...Object.fromEntries(options.backendConfig.get(name) ?? []),
    }
    return [name, 'built in', oneLine(JSON.stringify({ cmdline }))]
  })
  return table(['Backend', 'Path', 'Config'], rows)
}

export interface ServerFacts {
  readonly version: string
  readonly extensions: readonly string[]
  readonly repositories: readonly string[]
}

/** Triton's table of options, its names and order. */
export function optionTable(options: ServeOptions, facts: ServerFacts): readonly string[] {
  const bit = (value: boolean): string => (value ? '1' : '0')
  const rows: [string, string][] = [
    ['server_id', options.id],
    ['server_version', facts.version],
    ['server_extensions', facts.extensions.join(' ')],
    ...facts.repositories.map((path, i): [string, string] => [`model_repository_path[${i}]`, path]),
    ['model_control_mode', `MODE_${options.modelControlMode.toUpperCase()}`],
    ...options.loadModels.map((name, i): [string, string] => [`startup_models_${i}`, name]),
    ['strict_model_config', bit(options.disableAutoComplete)],
    ['model_config_name', options.modelConfigName],
    ['rate_limit', options.rateLimit === undefined ? 'OFF' : 'EXEC_COUNT'],
    ...(options.rateLimit?.resources ?? []).map(
      ({ name, count, device = -1 }, i): [string, string] => [
        `rate_limit_resource[${i}]`,
        `{"name":"${name}", "count":${count} "device":${device}}`,
      ],
    ),
    ['pinned_memory_pool_byte_size', '0'],
    ['min_supported_compute_capability', '0.0'],
    ['strict_readiness', bit(options.strictReadiness)],
    ['exit_timeout', String(options.exitTimeoutSecs)],
    ['cache_enabled', bit(options.cache !== undefined)],
  ]
  return table(
    ['Option', 'Value'],
    rows.map(([name, value]) => [name, oneLine(value)]),
  )
}
