import { badModel } from './bad-model.ts'

/** Keys of one section of LightGBM's text format. */
export type Section = ReadonlyMap<string, string>

/** The whole number at `key`; throws where there is none. */
export function whole(section: Section, key: string): number {
  const text = section.get(key)
  const value = Number(text)
  if (text === undefined || text.trim() === '' || !Number.isSafeInteger(value)) {
    throw badModel(`'${key}' is missing or no whole number`)
  }
  return value
}
