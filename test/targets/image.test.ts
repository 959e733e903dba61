import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ROOT } from './child.ts'
import { targetRepository } from './repository.ts'
import { type StartedTarget, targetSuite } from './suite.ts'

const IMAGE = join(ROOT, '.cache/container/image')
const CONFIG = join(ROOT, '.cache/container/image.json')
const SIZE = join(ROOT, '.cache/container/image.megabytes')

interface ImageConfig {
  readonly User: string
  readonly Env: readonly string[]
  readonly Cmd: readonly string[]
  readonly Entrypoint?: readonly string[] | null
  readonly Healthcheck: { readonly Test: readonly string[] }
}

/**
 * What a container runtime does with the image's config: a root that cannot be written, /tmp and the models apart, its
 * user, no capabilities, no way to more privileges, and no variables but those of the image.
 */
const CONTAINER = `
  mount --bind "$IMAGE" "$IMAGE" && mount -o remount,bind,ro "$IMAGE"
  mount -t tmpfs tmp "$IMAGE/tmp" && mount -t proc proc "$IMAGE/proc" && mount --rbind /dev "$IMAGE/dev"
  mount -t tmpfs models "$IMAGE/mnt" && mkdir "$IMAGE/mnt/models"
  mount --bind "$MODELS" "$IMAGE/mnt/models" && mount -o remount,bind,ro "$IMAGE/mnt/models"
  exec chroot "$IMAGE" setpriv --reuid "$RUN_AS" --regid "$RUN_AS" --clear-groups --bounding-set -all --inh-caps -all \\
    --no-new-privs env -i "$@"
`

const possible = process.getuid?.() === 0 && existsSync(CONFIG)
if (!possible) console.log('skipped: no image (test/targets/tools/image.sh builds it, as root)')

describe.skipIf(!possible)('the image', () => {
  const config = (possible ? JSON.parse(readFileSync(CONFIG, 'utf8')) : {}) as ImageConfig
  const repository = targetRepository()
  let pid = 0
  let url = ''
  afterAll(() => repository.remove())

  async function start(): Promise<StartedTarget> {
    chmodSync(repository.folder, 0o755)
    const [user = ''] = config.User.split(':')
    const flags = [
      '--model-store=/mnt/models',
      '--http-port=0',
      '--grpc-port=0',
      '--metrics-port=0',
      '--model-control-mode=poll',
      '--repository-poll-secs=1',
      '--overload-lag-ms=0',
    ]
    const local = ['NEREID_HTTP_ADDRESS=127.0.0.1', 'NEREID_GRPC_ADDRESS=127.0.0.1']
    const command = ['bash', '-euc', CONTAINER, 'container', ...config.Env, ...local]
    const child = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', ...command, ...config.Cmd, ...flags],
      {
        env: { PATH: process.env['PATH'], IMAGE, MODELS: repository.folder, RUN_AS: user },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    const ended = once(child, 'exit')
    pid = child.pid ?? 0
    let log = ''
    url = await new Promise<string>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        log += chunk.toString()
        const port = /Started HTTPService at 127\.0\.0\.1:(\d+)"/.exec(log)?.[1]
        if (port !== undefined) resolve(`http://127.0.0.1:${port}`)
      })
      void ended.then(() => reject(new Error(log)))
    })
    return {
      url,
      close: async () => {
        child.kill('SIGTERM')
        const [code] = await ended
        if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
      },
    }
  }

  targetSuite('container', start, {
    update: () => repository.addWine(),
    about: () => {
      const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      const size = existsSync(SIZE) ? readFileSync(SIZE, 'utf8').trim() : '?'
      return `the CPU image of ${size} MB, uid 1000, read-only; resident ${Math.round(Number(resident) / 1024)} MB`
    },
  })

  test('runs what Triton images run, as nobody in particular', () => {
    expect(config).toMatchObject({ User: '1000:1000', Cmd: ['tritonserver'] })
    // KServe gives the command as arguments: an entry point would get in its way.
    expect(config.Entrypoint ?? []).toEqual([])
  })
})
