import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MANIFEST_FILE, type Manifest } from '../adapters/stores/manifest-format.ts'

const [root] = process.argv.slice(2)
if (root === undefined) {
  console.error(
    `usage: npx tsx infra/manifest.ts FOLDER\nWrites FOLDER/${MANIFEST_FILE}, with which any web server can serve the model repository in FOLDER.`,
  )
  process.exit(1)
}

const files: Record<string, { size: number; sha256: string }> = {}
const folders: string[] = []
await visit('')
const manifest: Manifest = { version: 1, files, folders }
// In one step: who reads it meanwhile gets the old one or the new one.
const target = join(root, MANIFEST_FILE)
await writeFile(`${target}.new`, `${JSON.stringify(manifest, null, 2)}\n`)
await rename(`${target}.new`, target)
console.log(`${target}: ${Object.keys(files).length} files`)

async function visit(folder: string): Promise<void> {
  const names = (await readdir(join(root ?? '', folder))).sort()
  if (folder !== '' && names.length === 0) folders.push(folder)
  for (const name of names) {
    const path = folder === '' ? name : `${folder}/${name}`
    const found = await stat(join(root ?? '', path))
    if (found.isDirectory()) await visit(path)
    else if (found.isFile() && !path.startsWith(MANIFEST_FILE)) {
      files[path] = { size: found.size, sha256: await digest(join(root ?? '', path)) }
    }
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}
