// One line of JSON for each step: what an application saw, or the error that it got.

function plainly(_key, value) {
  if (typeof value === 'bigint') return `${value}n`
  if (value?.type === 'Buffer') return `\\x${Buffer.from(value.data).toString('hex')}`
  return value
}

export async function step(name, work) {
  let line
  try {
    line = { step: name, saw: (await work()) ?? null }
  } catch (error) {
    const { code, message, position, hint } = error.cause ?? error.original ?? error
    line = { step: name, error: { code, message, position, hint } }
  }
  console.log(JSON.stringify(line, plainly))
}
