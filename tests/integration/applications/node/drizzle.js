// The ORM Drizzle over `pg`: its own types, relations (which are JSON in SQL), prepared statements.

import { drizzle } from 'drizzle-orm/node-postgres'
import { eq, inArray, isNotNull, relations, sql } from 'drizzle-orm'
import * as t from 'drizzle-orm/pg-core'
import pg from 'pg'
import { step } from './report.js'
import { KINDS, SEARCHED } from './values.js'

const users = t.pgTable('users', {
  id: t.bigserial({ mode: 'number' }).primaryKey(),
  email: t.text(),
  ssn: t.text(),
  age: t.integer(),
  born: t.date(),
  balance: t.numeric({ precision: 12, scale: 2 }),
  doc: t.jsonb(),
  nick: t.varchar({ length: 20 }),
})
const orders = t.pgTable('orders', { id: t.bigserial({ mode: 'number' }).primaryKey(), userId: t.bigint('user_id', { mode: 'number' }), buyer: t.text(), total: t.numeric() })
const usersRelations = relations(users, ({ many }) => ({ orders: many(orders) }))
const ordersRelations = relations(orders, ({ one }) => ({ user: one(users, { fields: [orders.userId], references: [users.id] }) }))
const kinds = t.pgTable('kinds', {
  id: t.bigserial({ mode: 'number' }).primaryKey(),
  a_text: t.text(),
  a_varchar: t.varchar({ length: 40 }),
  a_char: t.char({ length: 12 }),
  a_bool: t.boolean(),
  an_int2: t.smallint(),
  an_int4: t.integer(),
  an_int8: t.bigint({ mode: 'bigint' }),
  a_float4: t.real(),
  a_float8: t.doublePrecision(),
  a_numeric: t.numeric(),
  a_price: t.numeric({ precision: 12, scale: 2 }),
  a_date: t.date(),
  a_time: t.time(),
  a_timestamp: t.timestamp({ mode: 'string' }),
  a_timestamptz: t.timestamp({ withTimezone: true }),
  an_interval: t.interval(),
  a_uuid: t.uuid(),
  a_json: t.json(),
  a_jsonb: t.jsonb(),
  an_inet: t.inet(),
  some_texts: t.text().array(),
  some_ints: t.integer().array(),
  some_dates: t.date().array(),
})

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 })
const db = drizzle(pool, { schema: { users, orders, usersRelations, ordersRelations } })
const { a_bytea: _none, ...values } = { ...KINDS, an_int8: 1733173317000n, a_json: { kanarie: 1 }, a_jsonb: ['kanarie'] }

await step('a row of every type', () => db.insert(kinds).values(values).returning())
for (const column of SEARCHED.filter((name) => name !== 'a_bytea')) {
  await step(`searched by ${column}`, () => db.select({ id: kinds.id }).from(kinds).where(eq(kinds[column], values[column])))
}
await step('many rows', () =>
  db.insert(users).values([1, 2, 3].map((n) => ({ email: `kanarie-${n}`, age: n, born: '1973-03-31', doc: { kanarie: n } }))).returning(),
)
await step('upserted', () =>
  db.insert(users).values({ email: 'kanarie-2', nick: 'kanarie' }).onConflictDoUpdate({ target: users.email, set: { nick: sql`excluded.nick` } }).returning(),
)
await step('orders', () => db.insert(orders).values([{ userId: 1, buyer: 'kanarie-1', total: '3' }, { userId: 2, buyer: 'kanarie-1' }]).returning())
await step('joined', () =>
  db.select().from(users).leftJoin(orders, eq(orders.buyer, users.email)).where(inArray(users.email, ['kanarie-1', 'kanarie-3'])).orderBy(users.id, orders.id),
)
await step('a relational query', () => db.query.users.findMany({ with: { orders: true }, orderBy: (u, { asc }) => [asc(u.id)] }))
await step('the other way', () => db.query.orders.findFirst({ where: eq(orders.buyer, 'kanarie-1'), with: { user: { columns: { email: true, age: true, born: true } } } }))
await step('prepared', async () => {
  const prepared = db.select().from(users).where(eq(users.email, sql.placeholder('email'))).prepare('by_email')
  return [await prepared.execute({ email: 'kanarie-1' }), await prepared.execute({ email: 'kanarie-2' }), await prepared.execute({ email: 'none' })]
})
await step('counted', () => db.select({ n: sql`count(*)`.mapWith(Number) }).from(users).where(isNotNull(users.born)))
await step('counted by a deterministic field', () => db.$count(users, eq(users.age, 2)))
await step('a transaction', () =>
  db.transaction(async (tx) => {
    await tx.update(users).set({ balance: '12.50', ssn: 'kanarie' }).where(eq(users.email, 'kanarie-1'))
    return tx.select().from(users).where(eq(users.balance, '12.50'))
  }),
)
await step('deleted', () => db.delete(users).where(eq(users.email, 'kanarie-3')).returning({ email: users.email }))
await pool.end()
