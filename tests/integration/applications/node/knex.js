// The query builder Knex over `pg`, with its schema builder.

import knex from 'knex'
import { step } from './report.js'
import { EMPTY, KINDS, SEARCHED } from './values.js'

const db = knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 2 } })

await step('a table is made, changed and filled', async () => {
  await db.schema.createTable('visits', (table) => {
    table.increments('id')
    table.string('visitor', 50).notNullable().unique()
    table.date('day').comment('the day of the visit')
    table.timestamps(true, true)
  })
  await db.schema.alterTable('visits', (table) => table.text('remark').defaultTo('none'))
  await db('visits').insert({ visitor: 'a visitor', day: '2020-02-02' })
  return [await db('visits').select('visitor', 'day', 'remark'), await db.schema.hasColumn('visits', 'day')]
})
await step('what its columns are', () => db('visits').columnInfo('remark'))
await step('dropped', () => db.schema.dropTable('visits'))

await step('rows of every type', () => db('kinds').insert([KINDS, EMPTY]).returning('*'))
for (const column of SEARCHED) {
  await step(`searched by ${column}`, () => db('kinds').where(column, KINDS[column]).pluck('id'))
}
await step('inserted in batches', async () => {
  const people = Array.from({ length: 25 }, (_, n) => ({ email: `kanarie-${n}`, age: n, born: '1973-03-31' }))
  return db.batchInsert('users', people, 10).returning(['id', 'email'])
})
await step('upserted', () => db('users').insert({ email: 'kanarie-1', age: 11, nick: 'kanarie' }).onConflict('email').merge(['age', 'nick']).returning(['id', 'age', 'nick']))
await step('ignored', () => db('users').insert({ email: 'kanarie-1' }).onConflict('email').ignore())
await step('updated', () => db('users').where({ email: 'kanarie-2' }).orWhereIn('email', ['kanarie-3']).update({ ssn: 'kanarie', balance: 12.5 }, ['email', 'ssn', 'balance']))
await step('found', () => db('users').select('email', 'born').whereNotNull('ssn').andWhere('age', 2).first())
await step('counted', () => db('users').where('age', 5).count('* as n').countDistinct('email as different'))
await step('by a subquery', () => db('users').whereIn('email', db('users').select('email').where('age', 7)).select('email', 'age'))
await step('united', () => db('users').select('email').where('age', 8).union(db('users').select('email').where('age', 8)))
await step('streamed', async () => {
  const seen = []
  for await (const row of db('users').select('email', 'age').orderBy('id').limit(5).stream()) seen.push(row)
  return seen
})
await step('a nested transaction', () =>
  db.transaction(async (outer) => {
    await outer('users').where({ email: 'kanarie-4' }).update({ nick: 'kanarie nick' })
    const code = await outer.transaction((inner) => inner('users').insert({ email: 'kanarie-4' })).catch((error) => error.code)
    return [code, await outer('users').where({ nick: 'kanarie nick' }).select('email')]
  }),
)
await step('raw with bindings', () => db.raw('SELECT ?? FROM users WHERE email = ?', ['age', 'kanarie-9']).then(({ rows }) => rows))
await step('deleted', () => db('users').where('email', 'kanarie-9').del(['email']))
await step('truncated', () => db('orders').truncate().then(({ command }) => command))
await db.destroy()
