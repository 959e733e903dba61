/** The smallest FP32 number above `value`, which is one itself and not NaN. */
function nextUp(value: number): number {
  if (value === Number.POSITIVE_INFINITY) return value
  const view = new DataView(new ArrayBuffer(4))
  // Adding zero turns -0 into 0, whose bits can be counted up.
  view.setFloat32(0, value + 0)
  const bits = view.getInt32(0)
  view.setInt32(0, bits >= 0 ? bits + 1 : bits - 1)
  return view.getFloat32(0)
}

/** The FP32 number for which `x < threshold` and `x < ceil32(threshold)` say the same of every FP32 `x`. */
export function ceil32(threshold: number): number {
  const near = Math.fround(threshold)
  return near < threshold ? nextUp(near) : near
}

/** The FP32 number for which `x <= threshold` and `x < above32(threshold)` say the same; for infinity there is none. */
export function above32(threshold: number): number {
  const near = Math.fround(threshold)
  return near > threshold ? near : nextUp(near)
}
