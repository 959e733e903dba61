/** A decimal number without sign, at most 15 digits; -1 where there is none, NaN where it is anything else. */
export function decimal(text: string | undefined): number {
  if (text === undefined) return -1
  if (text.length === 0 || text.length > 15) return Number.NaN
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
