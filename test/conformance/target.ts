/** A server with the recorded repository and flags. */
export interface Target {
  readonly url: string
  close(): Promise<void>
}

/**
 * The server of `NEREID_TARGET_URL` (the real Triton, see `triton/start.sh`), or this project's own, whole and in this
 * process: disk store, ONNX backend, HTTP listener on a free port.
 */
export async function startTarget(): Promise<Target> {
  const url = process.env['NEREID_TARGET_URL']
  if (url !== undefined) return { url, close: async () => {} }
  throw new Error('no server yet')
}
