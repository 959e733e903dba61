const DIGITS = 6

/** A number the way C++ streams write it: six digits, an exponent where that is shorter, no trailing zeros. */
export function generalNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa = '', power = '0'] = value.toExponential(DIGITS - 1).split('e')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= DIGITS) {
    const digits = String(Math.abs(exponent)).padStart(2, '0')
    return `${withoutZeros(mantissa)}e${exponent < 0 ? '-' : '+'}${digits}`
  }
  return withoutZeros(value.toFixed(DIGITS - 1 - exponent))
}

function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
