// The ORM Sequelize over `pg`: it writes its values into the text of reads.

import { DataTypes, Op, Sequelize } from 'sequelize'
import { step } from './report.js'
import { KINDS, SEARCHED } from './values.js'

const sequelize = new Sequelize(process.env.DATABASE_URL, { logging: false, define: { timestamps: false }, pool: { max: 2 } })
const type = DataTypes
const User = sequelize.define('user', {
  email: { type: type.TEXT, unique: true },
  ...{ ssn: type.TEXT, age: type.INTEGER, born: type.DATEONLY, balance: type.DECIMAL(12, 2) },
  ...{ doc: type.JSONB, photo: type.BLOB, nick: type.STRING(20), note: type.TEXT },
}, { tableName: 'users' })
const Order = sequelize.define('order', { buyer: type.TEXT, total: type.DECIMAL, note: type.TEXT }, { tableName: 'orders' })
User.hasMany(Order, { foreignKey: 'user_id' })
Order.belongsTo(User, { foreignKey: 'user_id' })
const Kind = sequelize.define('kind', {
  ...{ a_text: type.TEXT, a_varchar: type.STRING(40), a_char: type.CHAR(12), a_bytea: type.BLOB, a_bool: type.BOOLEAN },
  ...{ an_int2: type.SMALLINT, an_int4: type.INTEGER, an_int8: type.BIGINT, a_float4: type.REAL, a_float8: type.DOUBLE },
  ...{ a_numeric: type.DECIMAL, a_price: type.DECIMAL(12, 2), a_date: type.DATEONLY, a_time: type.TIME },
  ...{ a_timestamptz: type.DATE, a_uuid: type.UUID, a_json: type.JSON, a_jsonb: type.JSONB, an_inet: type.INET },
  ...{ some_texts: type.ARRAY(type.TEXT), some_ints: type.ARRAY(type.INTEGER), some_dates: type.ARRAY(type.DATEONLY) },
}, { tableName: 'kinds' })
const kinds = { ...KINDS, a_json: { kanarie: 1 }, a_jsonb: { kanarie: 2 }, some_dates: ['1973-03-31'] }
const found = (rows) => rows.map((row) => row.toJSON())

await step('authenticated', () => sequelize.authenticate().then(() => 'well'))
await step('its tables are there', () => sequelize.sync().then(() => 'they are'))
await step('a row of every type', () => Kind.create(kinds))
await step('read again', () => Kind.findAll().then(found))
for (const column of SEARCHED) {
  await step(`searched by ${column}`, () => Kind.findAll({ attributes: ['id'], where: { [column]: kinds[column] } }).then(found))
}
await step('many', () =>
  User.bulkCreate([1, 2, 3].map((n) => ({ email: `kanarie-${n}`, age: n, born: '1973-03-31', doc: { kanarie: n }, nick: "kanarie's" }))).then(found),
)
await step('found or made', async () => {
  const [old, made] = await User.findCreateFind({ where: { email: 'kanarie-1' }, defaults: { age: 99 } })
  const [fresh, again] = await User.findCreateFind({ where: { email: 'kanarie-4' }, defaults: { age: 4, ssn: 'kanarie' } })
  return [old, made, fresh, again]
})
await step('by a function that Sequelize makes', () => User.findOrCreate({ where: { email: 'kanarie-5' }, defaults: { age: 5 } }))
await step('none of it is there', () => User.destroy({ where: { email: 'kanarie-5' } }).then(() => User.count()))
await step('upserted', () => User.upsert({ email: 'kanarie-2', age: 22 }, { conflictFields: ['email'] }))
await step('changed and saved', async () => {
  const user = await User.findOne({ where: { email: 'kanarie-3' } })
  await user.update({ ssn: 'kanarie ssn', balance: '12.50' })
  return (await user.reload()).toJSON()
})
await step('found by many', () => User.findAll({ where: { [Op.or]: [{ email: ['kanarie-1', 'kanarie-3'] }, { age: { [Op.ne]: null }, nick: null }] }, order: ['id'] }).then(found))
await step('counted', () => User.findAndCountAll({ where: { born: { [Op.not]: null } }, order: [['id', 'DESC']], limit: 2 }).then(({ count, rows }) => [count, found(rows)]))
await step('grouped', () => User.count({ group: ['age'] }).then((groups) => groups.map(({ age, count }) => [age, count]).sort()))
await step('with its orders', async () => {
  const user = await User.findOne({ where: { email: 'kanarie-1' } })
  await user.createOrder({ buyer: 'kanarie-1', total: 5 })
  await Order.create({ buyer: 'kanarie-2', total: 6, user_id: user.id })
  return User.findAll({ include: { model: Order, where: { buyer: 'kanarie-2' } } }).then(found)
})
await step('in a transaction', () =>
  sequelize.transaction(async (transaction) => {
    await User.update({ nick: 'kanarie nick' }, { where: { email: 'kanarie-1' }, transaction })
    return User.findAll({ where: { nick: 'kanarie nick' }, transaction, lock: true }).then(found)
  }),
)
await step('a constraint', () => User.create({ email: 'kanarie-1' }))
await step('with replacements and with bind', async () => [
  await sequelize.query('SELECT email, age FROM users WHERE email = :email', { replacements: { email: 'kanarie-1' }, type: 'SELECT' }),
  await sequelize.query('SELECT email, age FROM users WHERE email = $email', { bind: { email: 'kanarie-2' }, type: 'SELECT' }),
])
await step('destroyed', () => User.destroy({ where: { email: { [Op.in]: ['kanarie-1', 'kanarie-2'] } } }))
await sequelize.close()
