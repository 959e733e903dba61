/** What is recorded of a traced request: a sum of {@link TIMESTAMPS} and {@link TENSORS}; 0 = nothing, `OFF`. */
export type TraceLevel = number

export const OFF: TraceLevel = 0
/** When each step of the request began and ended. */
export const TIMESTAMPS: TraceLevel = 1
/** What went into and came out of each model. */
export const TENSORS: TraceLevel = 2

/** The names that settings show. */
export function levelNames(level: TraceLevel): readonly string[] {
  if (level === OFF) return ['OFF']
  return [
    ...((level & TIMESTAMPS) === 0 ? [] : ['TIMESTAMPS']),
    ...((level & TENSORS) === 0 ? [] : ['TENSORS']),
  ]
}
