import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { ROOT } from './child.ts'
import { buildBrowser, type Site, startSite } from './chromium.ts'

const NGINX = '/usr/sbin/nginx'
const skip = !existsSync(NGINX)
if (skip) console.log('skipped: nginx.conf of the browser target: nginx is not installed')

/** What decides over whether scripts and WebAssembly run, what may frame the page, and how long files are kept. */
const HEADERS = [
  'cache-control',
  'content-security-policy',
  'content-type',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'referrer-policy',
  'x-content-type-options',
]

test.skipIf(skip)('nginx serves the built site as our own little server does', async () => {
  buildBrowser()
  const site: Site = await startSite()
  const folder = mkdtempSync(join(tmpdir(), 'nereid-nginx-'))
  const port = await freePort()
  const built = join(ROOT, 'dist/browser')
  const server = readFileSync(join(ROOT, 'infra/browser/nginx.conf'), 'utf8')
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replace('/usr/share/nginx/html', built)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ')
  const config = join(folder, 'nginx.conf')
  writeFileSync(
    config,
    `daemon off; pid ${folder}/pid; error_log stderr crit; events {}\nhttp { access_log off; ${temporary}\n${server} }`,
  )
  const nginx = spawn(NGINX, ['-p', folder, '-c', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    const url = `http://127.0.0.1:${port}/`
    await expect
      .poll(
        () =>
          fetch(url).then(
            (answer) => answer.status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200)
    const names = readdirSync(built).filter((name) => /\.(html|css|mjs|wasm)$/.test(name))
    expect(names.length).toBeGreaterThan(6)
    for (const path of ['', ...names, 'models/repository.json', 'models/digits/1/model.onnx']) {
      const [theirs, ours] = await Promise.all([
        fetch(url + path, { method: 'HEAD' }),
        fetch(site.url + path, { method: 'HEAD' }),
      ])
      const told = (answer: Response) => HEADERS.map((name) => [name, answer.headers.get(name)])
      expect([path, theirs.status, told(theirs)]).toEqual([path, 200, told(ours)])
    }
    for (const address of [url, site.url]) {
      for (const path of [
        '.built-from',
        'models/../.built-from',
        'nothing',
        '%2e%2e/%2e%2e/package.json',
      ]) {
        expect([400, 404]).toContain((await fetch(address + path)).status)
      }
    }
  } finally {
    nginx.kill('SIGTERM')
    await once(nginx, 'exit')
    await site.remove()
    rmSync(folder, { recursive: true, force: true })
  }
})
