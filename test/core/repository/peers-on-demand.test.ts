import { describe, expect, it } from 'vitest'
import type { Peers } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferResponse } from '../../../core/infer.ts'
import { withModel } from '../../../core/protocol/bring-model.ts'
import { ROOM_CHECK_NS } from '../../../core/repository/on-demand-room.ts'
import type { OnDemand } from '../../../core/server-types.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import {
  createRepository,
  fakeConfig,
  type Harness,
  infer,
  modelFiles,
  startServer,
  turns,
} from './harness.ts'

const sized = (name: string, bytes: number): Record<string, string> =>
  modelFiles(name, {
    config: fakeConfig(
      `parameters { key: "nereid_memory_bytes" value { string_value: "${bytes}" } }`,
    ),
  })

type Final = InferResponse | ServerError | null

/** A server whose model `caller` is loaded, with what it was given to call others. */
async function start(
  onLoad: (name: string) => Promise<void> | void = () => {},
): Promise<Harness & { readonly peers: Peers }> {
  let peers: Peers | undefined
  const harness = await startServer({
    repositories: [createRepository({ ...modelFiles('caller'), ...modelFiles('called') })],
    options: { loadOnDemand: { budget: 0, pinned: ['caller'] } },
    backend: createFakeBackend({
      onLoad(source) {
        peers ??= source.peers
        return onLoad(source.name)
      },
    }),
  })
  return { ...harness, peers: peers as Peers }
}

function call(peers: Peers, model: string): { request: InferRequest; answer: Promise<Final> } {
  let answered = (_answer: Final): void => {}
  const answer = new Promise<Final>((resolve) => {
    answered = resolve
  })
  const data = new Uint8Array(8)
  const request = new InferRequest(
    { inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, 2], data }] },
    { answer: (_request, one) => answered(one) },
  )
  try {
    const peer = peers.find(model, '')
    peer.check(request)
    peer.submit(request)
  } catch (error) {
    request.respond(ServerError.from(error))
  }
  return { request, answer }
}

describe('a model that calls another', () => {
  it('has it loaded', async () => {
    const { peers, server } = await start()
    expect(server.modelReady('called', '')).toBe(true)
    expect(peers.find('called', '').ready).toBe(true)
    expect(peers.find('called', '9').ready).toBe(false)
    expect(await call(peers, 'called').answer).toMatchObject({ outputs: [{ name: 'OUTPUT0' }] })
    expect(await call(peers, 'called').answer).toMatchObject({ outputs: [{ name: 'OUTPUT0' }] })
    expect(server.onDemand?.figures).toContainEqual(
      expect.objectContaining({ model: 'called', loads: 1 }),
    )
  })

  it('may have it loaded before it is needed, and unload none', async () => {
    const { peers, server } = await start()
    await peers.load('called')
    expect(server.model('called', '').ready).toBe(true)
    await expect(peers.unload('called')).rejects.toThrow('explicit model load / unload')
  })

  it('is told what is wrong with it, or with the request', async () => {
    const { peers } = await start((name) => {
      if (name === 'called') throw new Error('file is broken')
    })
    expect(String(await call(peers, 'called').answer)).toContain('file is broken')
    expect(String(await call(peers, 'nope').answer)).toContain("'nope' is not found")
  })

  it('need not wait for it once its own client has left', async () => {
    let loaded = (): void => {}
    const { peers } = await start((name) => {
      if (name !== 'called') return
      return new Promise((resolve) => {
        loaded = resolve
      })
    })
    const { request, answer } = call(peers, 'called')
    await turns()
    request.cancel()
    expect(await answer).toMatchObject({ code: 'CANCELLED' })
    loaded()
    expect(await call(peers, 'called').answer).toMatchObject({ outputs: [{ name: 'OUTPUT0' }] })
  })

  it('gets it before a load that waits until the caller is idle', async () => {
    let peers: Peers | undefined
    const files = { ...sized('caller', 10), ...sized('called', 10), ...sized('large', 25) }
    const backend = createFakeBackend({
      onLoad(source) {
        if (source.name === 'caller') peers = source.peers
      },
    })
    const { server, clock } = await startServer({
      repositories: [createRepository(files)],
      options: { loadOnDemand: { budget: 30, pinned: [] } },
      backend,
    })
    const onDemand = server.onDemand as OnDemand
    const ask = (model: string): Promise<number[]> =>
      withModel(onDemand, model, undefined, () => infer(server, model, [1, 2]))
    await ask('caller')
    const caller = backend.instances[0]!
    caller.paused = true
    const first = ask('caller')
    await turns()
    // There is no room for it beside the caller, who is busy.
    const large = ask('large')
    await turns()
    const called = call(peers as Peers, 'called')
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        clock.advance(ROOM_CHECK_NS)
        await turns()
      }
    }
    await settle()
    expect(await Promise.race([called.answer, 'nothing yet'])).toMatchObject({
      outputs: [{ name: 'OUTPUT0' }],
    })
    caller.finish()
    expect(await first).toEqual([1, 2])
    await settle()
    expect(await Promise.race([large, 'nothing yet'])).toEqual([1, 2])
  })
})
