import { badModel } from './bad-model.ts'
import { ByteReader } from './byte-reader.ts'
import { ForestBuilder, MAX_FOREST_OUTPUTS } from './forest-builder.ts'
import { treeliteLink, treeliteTask } from './treelite-names.ts'
import { skipOptionalFields } from './treelite-optional.ts'
import { readTreeliteTree } from './treelite-tree.ts'
import type { Forest } from './types.ts'

const FLOAT32 = 2
const FLOAT64 = 3
/** Checkpoints of these are read; 3.9 and older have another format. */
const MAJOR_VERSION = 4

/** Reads a Treelite checkpoint, version 4 (`Model.serialize`). */
export function readTreelite(bytes: Uint8Array): Forest {
  const reader = new ByteReader(bytes)
  const version = `${reader.i32()}.${reader.i32()}.${reader.i32()}`
  if (!version.startsWith(`${MAJOR_VERSION}.`)) {
    throw badModel(
      `written by Treelite ${version}, of which ${MAJOR_VERSION}.x can be read: load it there and call serialize() with Treelite ${MAJOR_VERSION}`,
    )
  }
  const head = readHead(reader)
  const { single, targets, classes, columns } = head
  const builder = new ForestBuilder({ ...head, outputs: targets * classes })
  const vectorLength = (head.leafShape[0] ?? 1) * (head.leafShape[1] ?? 1)
  for (let i = 0; i < columns.length; i++) {
    const tree = readTreeliteTree(reader, single)
    builder.add(tree, vectorLength > 1 && tree.vectors ? -1 : (columns[i] as number))
  }
  return builder.build()
}

function readHead(reader: ByteReader) {
  const kind = reader.u8()
  if (reader.u8() !== kind || (kind !== FLOAT32 && kind !== FLOAT64)) {
    throw badModel('thresholds and leaves that are neither float32 nor float64')
  }
  const trees = reader.u64()
  const features = reader.i32()
  const task = treeliteTask(reader.u8())
  const average = reader.u8() !== 0
  const targets = reader.i32()
  const classCounts = new Int32Array(reader.copy(4))
  const leafShape = new Int32Array(reader.copy(4))
  const targetIds = new Int32Array(reader.copy(4))
  const classIds = new Int32Array(reader.copy(4))
  const name = reader.text()
  const alpha = reader.f32()
  const ratio = reader.f32()
  const base = new Float64Array(reader.copy(8))
  reader.text()
  skipOptionalFields(reader)
  if (targetIds.length !== trees || classIds.length !== trees) {
    throw badModel(`${trees} trees, of which ${classIds.length} are for a class`)
  }
  if (classCounts.length !== targets || targets < 1 || targets > MAX_FOREST_OUTPUTS) {
    throw badModel(`${targets} targets, of which ${classCounts.length} have classes`)
  }
  const classes = classCounts[0] as number
  // Targets with different numbers of classes would need rows with holes.
  if (!classCounts.every((count) => count === classes)) {
    throw badModel('targets with different numbers of classes')
  }
  const columns = targetIds.map((target, i) => columnOf(target, classIds[i] as number, classes))
  return {
    single: kind === FLOAT32,
    task,
    features,
    average,
    targets,
    classes,
    leafShape,
    columns,
    link: treeliteLink(name, { alpha, ratio }),
    base,
    baseFirst: false,
  }
}

/** A tree for one target but all its classes, or the other way round, would need part of a row; only whole rows are known. */
function columnOf(target: number, classId: number, classes: number): number {
  if (target < 0 || classId < 0) return -1
  return target * classes + classId
}
