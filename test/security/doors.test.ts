import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { controlMethods } from '../../adapters/grpc/control/control-methods.ts'
import { reflectionMethods } from '../../adapters/grpc/reflection/reflection-methods.ts'
import { INFER_PATH, STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import { Status } from '../../adapters/grpc/types.ts'
import { combinedAccess } from '../../core/access/combined.ts'
import { GRPC_KEY_PREFIX, restrictedAccess } from '../../core/access/restrictions.ts'
import { REQUIREMENT_OF } from '../../core/access/scopes.ts'
import type { Access } from '../../core/access/types.ts'
import { CATEGORY_OF, type Operation } from '../../core/operations.ts'
import { ROUTES } from '../../core/protocol/rest/routes.ts'
import { RawClient } from '../helpers/grpc-client.ts'
import { send } from '../helpers/http.ts'
import { testKeys } from '../helpers/keys.ts'
import { serve } from '../helpers/serve.ts'
import { serveGrpc } from '../helpers/serve-grpc.ts'

/** What came back, whichever way in: the kind of a refusal, or that somebody answered. */
type Outcome = 'answered' | 'restricted' | 'unauthenticated' | 'forbidden'

/** One way to ask for one operation. */
interface Way {
  readonly name: string
  readonly operation: Operation
  ask(headers: Readonly<Record<string, string>>): Promise<Outcome>
}

/** A door: every way through it. */
interface Door {
  readonly name: string
  /** Before the name of a restricted header. */
  readonly prefix: string
  readonly ways: () => readonly Way[]
  open(access: Access): Promise<{ close(): Promise<void> }>
}

const GROUPS = [...new Set(Object.values(CATEGORY_OF))]
const RESTRICTION = [{ apis: GROUPS, key: 'x-door', value: 'right' }]
/** `owner` may do everything, `other` may do what any key may. */
const KEYS = [
  { id: 'owner', scopes: ['*'] },
  { id: 'other', scopes: ['metrics'] },
]

const PARAMS: Readonly<Record<string, string>> = {
  ':model': 'echo',
  ':version': '1',
  ':region': 'r',
  ':repository': 'models',
}

function httpDoor(): Door {
  let url = ''
  const ask =
    (method: string, path: string, more: Readonly<Record<string, string>> = {}): Way['ask'] =>
    async (headers) => {
      const body = method === 'POST' ? '{}' : ''
      const answer = await send({ url: url + path, method, body, headers: { ...more, ...headers } })
      const text = answer.body.toString()
      if (answer.status === 401) return 'unauthenticated'
      if (answer.status !== 403) return 'answered'
      return text.includes('is restricted, expecting header') ? 'restricted' : 'forbidden'
    }
  return {
    name: 'HTTP',
    prefix: '',
    ways: () =>
      ROUTES.flatMap(({ path, methods, operation }) =>
        methods.flatMap((method): Way[] => {
          const filled = path.replace(/:\w+/g, (name) => PARAMS[name] ?? name)
          const name = `${method} ${filled}`
          const plain = { name, operation, ask: ask(method, filled) }
          // Only plain infer requests take the fast route.
          const packed = { 'accept-encoding': 'gzip' }
          const slow = { name: `${name}, packed`, operation, ask: ask(method, filled, packed) }
          const wanted = { accept: 'text/event-stream' }
          const events = { name: `${name} as events`, operation, ask: ask(method, filled, wanted) }
          return operation === 'infer' ? [plain, slow, events] : [plain]
        }),
      ),
    async open(access) {
      const serving = await serve({ doors: { access }, inferStream: true })
      url = serving.url
      return serving
    },
  }
}

function grpcDoor(): Door {
  let client: RawClient
  const kindOf = (code: number, details: string): Outcome => {
    if (code === Status.UNAUTHENTICATED) return 'unauthenticated'
    if (code === Status.PERMISSION_DENIED) return 'forbidden'
    const restricted = code === Status.UNAVAILABLE && details.includes('protocol is restricted')
    return restricted ? 'restricted' : 'answered'
  }
  const unary =
    (path: string): Way['ask'] =>
    async (metadata) => {
      const { code, details } = await client.unary(path, new Uint8Array(0), { metadata })
      return kindOf(code, details)
    }
  const stream =
    (path: string): Way['ask'] =>
    (metadata) =>
      new Promise((resolve) => {
        const call = client.stream(path, { metadata })
        call.on('error', () => {})
        call.on('data', () => {})
        call.on('status', ({ code, details }) => resolve(kindOf(code, details)))
        call.end()
      })
  const table = () => {
    const nothing = {} as Parameters<typeof controlMethods>[0]
    return { unaries: controlMethods(nothing), streams: reflectionMethods() }
  }
  return {
    name: 'gRPC',
    prefix: GRPC_KEY_PREFIX,
    ways: () => {
      const { unaries, streams } = table()
      return [
        { name: INFER_PATH, operation: 'infer' as const, ask: unary(INFER_PATH) },
        {
          name: STREAM_INFER_PATH,
          operation: 'infer-stream' as const,
          ask: stream(STREAM_INFER_PATH),
        },
        ...unaries.map(({ path, operation }) => ({ name: path, operation, ask: unary(path) })),
        ...streams.map(({ path, operation }) => ({ name: path, operation, ask: stream(path) })),
      ]
    },
    async open(access) {
      const serving = await serveGrpc({ grpc: { access } })
      client = new RawClient(serving.target)
      return {
        async close() {
          client.close()
          await serving.close()
        },
      }
    },
  }
}

const right = { 'x-door': 'right' }
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

for (const door of [httpDoor(), grpcDoor()]) {
  const restricted = (value: string) => ({ [`${door.prefix}x-door`]: value })
  const doorway = (name: string, access: Access | undefined, tests: () => void): void => {
    describe(`${door.name} with ${name}`, () => {
      let opened: { close(): Promise<void> }
      beforeAll(async () => {
        opened = await door.open(access as Access)
      })
      afterAll(() => opened.close())
      tests()
    })
  }
  const restrictions = restrictedAccess({ http: RESTRICTION, grpc: RESTRICTION })

  doorway('every API restricted', restrictions, () => {
    test.each(door.ways())('$name answers only with the right header', async ({ ask }) => {
      expect(await ask({})).toBe('restricted')
      expect(await ask(restricted('wrong'))).toBe('restricted')
      expect(await ask({ other: 'right' })).toBe('restricted')
      // The other door's name for it does not open this one.
      if (door.prefix !== '') expect(await ask(right)).toBe('restricted')
      expect(await ask(restricted('right'))).toBe('answered')
    })
  })

  const keys = testKeys(KEYS)
  doorway('a key file', keys.access, () => {
    // Wrong keys in a row would be told to wait.
    beforeEach(() => keys.clock.advance(1e9))

    test.each(door.ways())('$name answers only to a key that may', async ({ operation, ask }) => {
      const requirement = REQUIREMENT_OF[operation]
      const none = requirement === 'open' ? 'answered' : 'unauthenticated'
      const other = requirement === 'open' || requirement === 'key' ? 'answered' : 'forbidden'
      expect(await ask({})).toBe(none)
      expect(await ask(bearer('wrong'))).toBe(none)
      expect(await ask(bearer('key:other'))).toBe(other)
      expect(await ask(bearer('key:owner'))).toBe('answered')
    })
  })

  const both = combinedAccess([restrictions, testKeys(KEYS).access])
  doorway('both', both, () => {
    test.each(door.ways())('$name asks for both', async ({ operation, ask }) => {
      const keyless = REQUIREMENT_OF[operation] === 'open' ? 'answered' : 'unauthenticated'
      expect(await ask(bearer('key:owner'))).toBe('restricted')
      expect(await ask(restricted('right'))).toBe(keyless)
      expect(await ask({ ...restricted('right'), ...bearer('key:owner') })).toBe('answered')
    })
  })
}

test('the doors together offer every operation there is', () => {
  const offered = new Set(
    [httpDoor(), grpcDoor()].flatMap((door) => door.ways().map(({ operation }) => operation)),
  )
  expect([...offered].sort()).toEqual((Object.keys(CATEGORY_OF) as Operation[]).sort())
})
