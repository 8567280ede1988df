// The query builder Kysely over `pg`.

import { Kysely, PostgresDialect, sql } from 'kysely'
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/postgres'
import pg from 'pg'
import Cursor from 'pg-cursor'
import { step } from './report.js'
import { EMPTY, KINDS, SEARCHED } from './values.js'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 })
const db = new Kysely({ dialect: new PostgresDialect({ pool, cursor: Cursor }) })
const people = ['kanarie-1', 'kanarie-2', 'kanarie-3'].map((email, n) => ({ email, age: n, born: '1973-03-31', balance: '12.50' }))

await step('a table is made', () =>
  db.schema
    .createTable('visits')
    .addColumn('id', 'serial', (column) => column.primaryKey())
    .addColumn('visitor', 'varchar(50)', (column) => column.notNull().unique())
    .addColumn('day', 'date')
    .execute(),
)
await step('filled', () => db.insertInto('visits').values({ visitor: 'a visitor', day: '2020-02-02' }).returningAll().execute())
await step('dropped', () => db.schema.dropTable('visits').execute())

await step('rows of every type', () => db.insertInto('kinds').values([KINDS, EMPTY]).returningAll().execute())
for (const column of SEARCHED) {
  await step(`searched by ${column}`, () => db.selectFrom('kinds').select('id').where(column, '=', KINDS[column]).execute())
}
await step('inserted', () => db.insertInto('users').values(people).returning(['id', 'email', 'age', 'balance']).execute())
await step('upserted', () =>
  db
    .insertInto('users')
    .values({ email: 'kanarie-2', age: 22 })
    .onConflict((conflict) => conflict.column('email').doUpdateSet((eb) => ({ age: eb.ref('excluded.age') })))
    .returning(['id', 'email', 'age'])
    .execute(),
)
await step('orders', () => db.insertInto('orders').values([{ user_id: 1, buyer: 'kanarie-1', total: 3 }, { user_id: 1, buyer: 'kanarie-2' }]).execute())
await step('joined', () =>
  db
    .selectFrom('users as u')
    .innerJoin('orders as o', 'o.buyer', 'u.email')
    .select(['u.email', 'o.buyer', 'o.total', 'u.born'])
    .where('u.email', 'in', ['kanarie-1', 'kanarie-2'])
    .where((eb) => eb.or([eb('u.age', '=', 0), eb('u.age', 'is not', null)]))
    .orderBy('o.id')
    .execute(),
)
await step('a relation as JSON', () =>
  db
    .selectFrom('users')
    .select((eb) => [
      'email',
      jsonArrayFrom(eb.selectFrom('orders').select(['buyer', 'total']).whereRef('orders.user_id', '=', 'users.id').orderBy('orders.id')).as('orders'),
      jsonObjectFrom(eb.selectFrom('orders').select(['buyer']).whereRef('orders.buyer', '=', 'users.email')).as('order'),
    ])
    .orderBy('id')
    .execute(),
)
await step('counted', () =>
  db.selectFrom('users').select((eb) => ['age', eb.fn.countAll().as('n')]).groupBy('age').having((eb) => eb.fn.countAll(), '>', 0).execute()
    .then((found) => found.sort((a, b) => a.age - b.age)),
)
await step('with a CTE', () =>
  db.with('gone', (q) => q.deleteFrom('orders').where('buyer', '=', 'kanarie-2').returning(['buyer', 'id'])).selectFrom('gone').selectAll().execute(),
)
await step('streamed', async () => {
  const seen = []
  for await (const row of db.selectFrom('users').select(['email', 'age']).orderBy('id').stream(2)) seen.push(row)
  return seen
})
await step('raw', () => sql`SELECT ${sql.ref('email')} FROM ${sql.table('users')} WHERE email = ${'kanarie-1'}`.execute(db).then(({ rows }) => rows))
await step('a transaction that is rolled back', async () => {
  const work = db.transaction().execute(async (tx) => {
    await tx.updateTable('users').set({ ssn: 'kanarie' }).where('email', '=', 'kanarie-1').execute()
    throw new Error(JSON.stringify(await tx.selectFrom('users').select(['ssn']).where('email', '=', 'kanarie-1').execute()))
  })
  return [await work.catch((error) => error.message), await db.selectFrom('users').select('ssn').where('email', '=', 'kanarie-1').execute()]
})
await step('introspected', async () => {
  const tables = await db.introspection.getTables()
  return tables
    .filter(({ name }) => name === 'users' || name === 'plain')
    .map(({ name, columns }) => ({ name, columns: columns.map((c) => [c.name, c.isNullable, c.hasDefaultValue, name === 'plain' && c.dataType]) }))
})
await db.destroy()
