/** `stream` as it is; `ended` is called once when it has ended, failed, or was cancelled. */
export function whenEnded(
  stream: ReadableStream<Uint8Array>,
  ended: () => void,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  let open = true
  const end = (): void => {
    if (open) ended()
    open = false
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) {
            controller.enqueue(value)
            return
          }
          end()
          controller.close()
        } catch (error) {
          end()
          controller.error(error)
        }
      },
      async cancel(reason) {
        end()
        await reader.cancel(reason)
      },
    },
    // Nothing is read ahead: the producer goes at the pace of the client.
    { highWaterMark: 0 },
  )
}
