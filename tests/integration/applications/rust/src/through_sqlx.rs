//! SQLx without its macros: pool, statement cache, rows by name, transactions, streams, COPY, batches by UNNEST.

use crate::report::{step, Described};
use chrono::NaiveDate;
use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use serde_json::{json, Value};
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{Column, Connection, Error, Executor, FromRow, Row, Statement, TypeInfo};

impl Described for Error {
    fn described(&self) -> (String, String) {
        match self.as_database_error() {
            Some(error) => (error.code().unwrap_or_default().into(), error.message().into()),
            None => (String::new(), self.to_string()),
        }
    }
}

#[derive(Debug)]
struct User {
    id: i64,
    email: Option<String>,
    age: Option<i32>,
    born: Option<NaiveDate>,
    balance: Option<Decimal>,
    doc: Option<Value>,
    nick: Option<String>,
}

impl<'r> FromRow<'r, PgRow> for User {
    fn from_row(row: &'r PgRow) -> Result<Self, Error> {
        Ok(User {
            id: row.try_get("id")?,
            email: row.try_get("email")?,
            age: row.try_get("age")?,
            born: row.try_get("born")?,
            balance: row.try_get("balance")?,
            doc: row.try_get("doc")?,
            nick: row.try_get("nick")?,
        })
    }
}

const ALL: &str = "SELECT id, email, age, born, balance, doc, nick FROM users";

fn shown(users: Vec<User>) -> Value {
    let row = |user: User| {
        let User { id, email, age, born, balance, doc, nick } = user;
        json!([id, email, age, born.map(|day| day.to_string()), balance.map(|b| b.to_string()), doc, nick])
    };
    users.into_iter().map(row).collect()
}

async fn found(pool: &PgPool, condition: &str, value: &str) -> Result<Value, Error> {
    let sql = format!("{ALL} WHERE {condition} ORDER BY id");
    sqlx::query_as::<_, User>(&sql).bind(value).fetch_all(pool).await.map(shown)
}

pub async fn all(url: &str) {
    let pool = PgPoolOptions::new().max_connections(2).connect(url).await.expect("a connection");
    step("inserted", inserted(&pool).await);
    step("many by UNNEST", unnested(&pool).await);
    step("one", found(&pool, "email = $1", "kanarie-1").await);
    step("upserted", upserted(&pool).await);
    step("what a statement is", described(&pool).await);
    step("streamed", streamed(&pool).await);
    step("a transaction", transaction(&pool).await);
    step("rolled back", found(&pool, "nick = $1", "nobody").await);
    step("COPY", copied(&pool).await);
    step("an unknown column", found(&pool, "nosuch = $1", "kanarie").await);
    step("sorted by a protected column", found(&pool, "email = $1 ORDER BY born, email --", "x").await);
    step("alive", found(&pool, "email = $1", "kanarie-3").await);
    pool.close().await;
}

async fn inserted(pool: &PgPool) -> Result<Value, Error> {
    let sql = "INSERT INTO users (email, age, born, balance, doc) VALUES ($1, $2, $3, $4, $5) RETURNING *";
    let mut all = Vec::new();
    for n in 0..4 {
        let query = sqlx::query_as::<_, User>(sql)
            .bind(format!("kanarie-{n}"))
            .bind(n)
            .bind(NaiveDate::from_ymd_opt(1973, 3, 31))
            .bind(Decimal::new(1250, 2))
            .bind(json!({"kanarie": n}));
        all.push(query.fetch_one(pool).await?);
    }
    Ok(shown(all))
}

async fn unnested(pool: &PgPool) -> Result<Value, Error> {
    let emails = vec!["kanarie-5", "kanarie-6"];
    let insert = "INSERT INTO users (email, age) SELECT * FROM UNNEST($1::text[], $2::int4[])";
    let done = sqlx::query(insert).bind(&emails).bind(vec![5, 6]).execute(pool).await?;
    let sql = format!("{ALL} WHERE email = ANY ($1) ORDER BY id");
    let users = sqlx::query_as::<_, User>(&sql).bind(emails).fetch_all(pool).await?;
    Ok(json!([done.rows_affected(), shown(users)]))
}

async fn upserted(pool: &PgPool) -> Result<Value, Error> {
    let sql = "INSERT INTO users (email, nick) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET nick = excluded.nick \
               RETURNING id, email, age, born, balance, doc, nick";
    sqlx::query_as::<_, User>(sql).bind("kanarie-2").bind("kanarie two").fetch_all(pool).await.map(shown)
}

async fn described(pool: &PgPool) -> Result<Value, Error> {
    let mut connection = pool.acquire().await?;
    let statement = connection.prepare(ALL).await?;
    Ok(statement.columns().iter().map(|column| json!([column.name(), column.type_info().name()])).collect())
}

async fn streamed(pool: &PgPool) -> Result<Value, Error> {
    let mut rows = sqlx::query("SELECT email FROM users ORDER BY id").fetch(pool);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row.try_get::<String, _>(0)?);
    }
    Ok(json!(all))
}

async fn transaction(pool: &PgPool) -> Result<Value, Error> {
    let mut transaction = pool.begin().await?;
    let update = "UPDATE users SET nick = $1, born = $2 WHERE email = $3";
    let day = NaiveDate::from_ymd_opt(2001, 1, 1);
    sqlx::query(update).bind("nobody").bind(day).bind("kanarie-1").execute(&mut *transaction).await?;
    let mut savepoint = transaction.begin().await?;
    let failed = sqlx::query("INSERT INTO users (email) VALUES ($1)").bind("kanarie-2").execute(&mut *savepoint).await;
    savepoint.rollback().await?;
    let sql = format!("{ALL} WHERE nick = $1");
    let users = sqlx::query_as::<_, User>(&sql).bind("nobody").fetch_all(&mut *transaction).await?;
    transaction.rollback().await?;
    Ok(json!([failed.err().map(|error| error.described()), shown(users)]))
}

async fn copied(pool: &PgPool) -> Result<Value, Error> {
    let mut connection = pool.acquire().await?;
    let mut copy = connection.copy_in_raw("COPY users (email, age) FROM STDIN (FORMAT csv)").await?;
    copy.send("kanarie-copied,1733173317\n\"kanarie, quoted\",\n".as_bytes()).await?;
    let written = copy.finish().await?;
    let out = connection.copy_out_raw("COPY (SELECT email, age FROM users ORDER BY id) TO STDOUT").await?;
    let parts = out.try_collect::<Vec<_>>().await?;
    Ok(json!([written, String::from_utf8_lossy(&parts.concat())]))
}
