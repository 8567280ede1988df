// Prisma's client: every type, its ways to write and to find, relations, transactions, raw SQL.

import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '@prisma/client'
import { step } from './report.js'

const STAMP = new Date('1973-03-31T03:31:19.733Z')
const KINDS = {
  a_text: 'kanarie "text" \\ ünïcödé',
  a_varchar: 'kanarie varchar',
  a_char: 'kanarie',
  a_bytea: Buffer.from('kanarie'),
  a_bool: true,
  an_int2: 17,
  an_int4: 1733173317,
  an_int8: 1733173317000n,
  a_float4: 1.5,
  a_float8: 1733173317.25,
  a_numeric: '1733173317.1230',
  a_price: '1733173317.50',
  a_date: new Date('1973-03-31'),
  a_time: new Date('1970-01-01T03:31:19.730Z'),
  a_timestamp: STAMP,
  a_timestamptz: STAMP,
  a_uuid: '6b616e61-7269-4500-8000-000000000001',
  a_json: { kanarie: [1, null, '1973-03-31'] },
  a_jsonb: { kanarie: [1, null, '1973-03-31'] },
  an_inet: '10.73.3.31',
  some_texts: ['kanarie a', 'kanarie "b", {c}', ''],
  some_ints: [1733173317, -1],
  some_dates: [new Date('1973-03-31')],
}
const SEARCHED = [
  ...['a_text', 'a_varchar', 'a_char', 'a_bytea', 'a_bool', 'an_int2', 'an_int8', 'a_float8', 'a_price'],
  ...['a_date', 'a_time', 'a_timestamptz', 'a_uuid', 'an_inet'],
]

const db = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }), errorFormat: 'minimal' })
const byId = { orderBy: { id: 'asc' } }

await step('a row of every type', () => db.kinds.create({ data: KINDS }))
await step('a row of NULL', () => db.kinds.create({ data: {} }))
for (const column of SEARCHED) {
  await step(`searched by ${column}`, () => db.kinds.findMany({ where: { [column]: KINDS[column] }, select: { id: true, [column]: true } }))
}
await step('many rows', () =>
  db.users.createManyAndReturn({ data: [1, 2, 3].map((n) => ({ email: `kanarie-${n}`, age: n, born: KINDS.a_date, balance: '12.50', doc: { kanarie: n } })) }),
)
await step('many rows, but for those there are', () =>
  db.users.createMany({ data: [{ email: 'kanarie-3' }, { email: 'kanarie-4', nick: 'kanarie' }], skipDuplicates: true }),
)
await step('one', () => db.users.findUnique({ where: { email: 'kanarie-2' } }))
await step('some', () => db.users.findMany({ where: { email: { in: ['kanarie-1', 'kanarie-4'] }, NOT: { age: 3 } }, ...byId }))
await step('all but', () => db.users.findMany({ where: { OR: [{ email: { not: 'kanarie-1' } }, { born: null }] }, ...byId }))
await step('in pages', () => db.users.findMany({ ...byId, cursor: { email: 'kanarie-2' }, skip: 1, take: 2, select: { email: true, age: true } }))
await step('upserted', () => db.users.upsert({ where: { email: 'kanarie-2' }, update: { nick: 'kanarie two' }, create: { email: 'kanarie-2' } }))
await step('inserted, or updated', () => db.users.upsert({ where: { email: 'kanarie-5' }, update: {}, create: { email: 'kanarie-5', ssn: 'kanarie' } }))
await step('updated', () => db.users.update({ where: { email: 'kanarie-1' }, data: { balance: '13.50', photo: KINDS.a_bytea, doc: ['kanarie'] } }))
await step('many updated', () => db.users.updateManyAndReturn({ where: { age: { in: [2, 3] } }, data: { ssn: 'kanarie ssn' } }))
await step('with its orders', () =>
  db.users.create({ data: { email: 'kanarie-6', orders: { create: [{ buyer: 'kanarie-6', total: 3 }, { buyer: 'kanarie-1' }] } }, include: { orders: { ...byId } } }),
)
await step('connected', () => db.orders.create({ data: { buyer: 'kanarie-1', user: { connect: { email: 'kanarie-1' } } }, include: { user: true } }))
await step('related', () => db.users.findMany({ where: { orders: { some: { buyer: 'kanarie-1' } } }, include: { orders: { ...byId }, _count: { select: { orders: true } } }, ...byId }))
await step('the other way', () => db.orders.findMany({ where: { user: { email: 'kanarie-6' } }, select: { buyer: true, user: { select: { email: true, born: true } } }, ...byId }))
await step('counted', () => db.users.count({ where: { born: { not: null } } }))
await step('grouped', () => db.users.groupBy({ by: ['balance'], _count: { _all: true }, where: { age: { in: [1, 2, 3] } }, orderBy: { _count: { balance: 'asc' } } }))
await step('distinct', () => db.users.findMany({ distinct: ['ssn'], where: { age: { in: [2, 3] } }, select: { ssn: true } }))
await step('a transaction', () =>
  db.$transaction(async (tx) => {
    await tx.users.update({ where: { email: 'kanarie-3' }, data: { nick: 'kanarie three' } })
    return tx.users.findFirst({ where: { nick: 'kanarie three' } })
  }),
)
await step('a transaction that fails', () =>
  db.$transaction([db.users.update({ where: { email: 'kanarie-3' }, data: { nick: 'nobody' } }), db.users.create({ data: { email: 'kanarie-1' } })]),
)
await step('after it', () => db.users.count({ where: { nick: 'nobody' } }))
await step('raw', () => db.$queryRaw`SELECT id, email, age, born FROM users WHERE email = ${'kanarie-1'} OR age = ${2} ORDER BY id`)
await step('raw, written', () => db.$executeRaw`UPDATE users SET age = ${7}, born = ${KINDS.a_date} WHERE email = ${'kanarie-4'}`)
await step('deleted', () => db.users.delete({ where: { email: 'kanarie-6' } }))
await step('sorted by a protected column', () => db.users.findMany({ orderBy: { age: 'asc' }, select: { id: true } }))
await step('a part of a protected column', () => db.users.findMany({ where: { email: { contains: 'kanarie' } }, select: { id: true }, ...byId }))
await step('alive', () => db.users.findMany({ select: { id: true, email: true }, ...byId }))
await db.$disconnect()
