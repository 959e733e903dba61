import type { FlagValues } from './flag-types.ts'

/** Flag values by type; what is absent is '', 0, false or empty. */
export interface FlagReader {
  string(name: string): string
  number(name: string): number
  boolean(name: string): boolean
  list(name: string): readonly string[]
}

export function reader(values: FlagValues): FlagReader {
  return {
    string: (name) => String(values.get(name) ?? ''),
    number: (name) => Number(values.get(name) ?? 0),
    boolean: (name) => values.get(name) === true,
    list: (name) => {
      const value = values.get(name)
      return Array.isArray(value) ? value : []
    },
  }
}
