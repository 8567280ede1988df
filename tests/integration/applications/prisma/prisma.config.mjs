// Prisma's tools with the engines that are WebAssembly, over the driver `pg`: nothing is downloaded.

import { PrismaPg } from '@prisma/adapter-pg'
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils'

const CHAR = 18
const NAME = 19
const TEXT = 25

// The adapter knows neither "char" nor name, in which the catalogue answers the schema engine.
function knowingTheCatalogue(connection) {
  const characters = new WeakMap()
  const { performIO, queryRaw } = connection
  connection.performIO = async (query) => {
    const result = await performIO.call(connection, query)
    characters.set(result.rows, result.fields.map((field) => field.dataTypeID === CHAR))
    for (const field of result.fields) if ([CHAR, NAME].includes(field.dataTypeID)) field.dataTypeID = TEXT
    return result
  }
  connection.queryRaw = async (query) => {
    const answer = await queryRaw.call(connection, query)
    characters.get(answer.rows).forEach((is, column) => {
      if (is) answer.columnTypes[column] = ColumnTypeEnum.Character
    })
    return answer
  }
  return connection
}

async function adapter() {
  const inner = new PrismaPg({ connectionString: process.env.DATABASE_URL })
  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    connect: async () => knowingTheCatalogue(await inner.connect()),
    connectToShadowDb: async () => knowingTheCatalogue(await inner.connectToShadowDb()),
  }
}

export default { schema: 'schema.prisma', experimental: { adapter: true }, engine: 'js', adapter }
