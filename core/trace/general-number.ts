const DIGITS = 6
const ZERO = 0x30
const POINT = 0x2e

/** A number the way C++ streams write it: six digits, an exponent where that is shorter, no trailing zeros. */
export function generalNumber(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e-4 && size < 999_999) {
    return Number.isInteger(value) ? String(value) : withoutZeros(value.toPrecision(DIGITS))
  }
  if (Number.isNaN(value)) return 'nan'
  if (size === Number.POSITIVE_INFINITY) return value < 0 ? '-inf' : 'inf'
  if (size === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa = '', power = '0'] = value.toExponential(DIGITS - 1).split('e')
  const exponent = Number(power)
  // Rounding may reach either end of the range above.
  if (exponent >= -4 && exponent < DIGITS) return withoutZeros(value.toPrecision(DIGITS))
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${withoutZeros(mantissa)}e${exponent < 0 ? '-' : '+'}${digits}`
}

function withoutZeros(text: string): string {
  if (!text.includes('.')) return text
  let end = text.length
  while (text.charCodeAt(end - 1) === ZERO) end--
  if (text.charCodeAt(end - 1) === POINT) end--
  return text.slice(0, end)
}
