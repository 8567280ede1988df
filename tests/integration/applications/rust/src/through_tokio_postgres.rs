//! tokio-postgres: typed parameters in binary, prepared statements, pipelines, portals, COPY, simple queries.

use crate::report::{step, Described};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures_util::{pin_mut, SinkExt, StreamExt, TryStreamExt};
use rust_decimal::Decimal;
use serde_json::{json, Value};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{binary_copy::BinaryCopyInWriter, Client, Error, NoTls, Row, SimpleQueryMessage};
use uuid::Uuid;

impl Described for Error {
    fn described(&self) -> (String, String) {
        match self.as_db_error() {
            Some(error) => (error.code().code().into(), error.message().into()),
            None => (String::new(), self.to_string()),
        }
    }
}

type Kind = (&'static str, Box<dyn ToSql + Sync>, bool);

/// A value for each column of the table `kinds` that Rust has a type for, and whether it can be searched for.
fn kinds() -> Vec<Kind> {
    let day = NaiveDate::from_ymd_opt(1973, 3, 31).unwrap();
    let time = NaiveTime::from_hms_milli_opt(3, 31, 19, 730).unwrap();
    let stamp: NaiveDateTime = day.and_time(time);
    vec![
        ("a_text", Box::new("kanarie \"text\" \\ ünïcödé"), true),
        ("a_varchar", Box::new("kanarie varchar"), true),
        ("a_char", Box::new("kanarie"), true),
        ("a_bytea", Box::new("kanarie".as_bytes()), true),
        ("a_bool", Box::new(true), true),
        ("an_int2", Box::new(17i16), true),
        ("an_int4", Box::new(1733173317i32), false),
        ("an_int8", Box::new(1733173317000i64), true),
        ("a_float4", Box::new(1.5f32), false),
        ("a_float8", Box::new(1733173317.25f64), true),
        ("a_numeric", Box::new(Decimal::new(17331733171230, 4)), false),
        ("a_price", Box::new(Decimal::new(173317331750, 2)), true),
        ("a_date", Box::new(day), true),
        ("a_time", Box::new(time), true),
        ("a_timestamp", Box::new(stamp), false),
        ("a_timestamptz", Box::new(stamp.and_utc()), true),
        ("a_uuid", Box::new(Uuid::from_u128(0x6b616e61_7269_4500_8000_000000000001)), true),
        ("a_json", Box::new(json!({"kanarie": [1, null]})), false),
        ("a_jsonb", Box::new(json!({"kanarie": "1973-03-31"})), false),
        ("an_inet", Box::new("10.73.3.31".parse::<std::net::IpAddr>().unwrap()), true),
        ("some_texts", Box::new(vec![Some("kanarie \"b\", {c}"), None]), false),
        ("some_ints", Box::new(vec![1733173317i32, -1]), false),
        ("some_dates", Box::new(vec![day]), false),
    ]
}

/// All rows, each value as the driver reads it by the type that the server names.
fn seen(rows: &[Row]) -> Value {
    rows.iter().map(|row| (0..row.len()).map(|i| column(row, i)).collect::<Vec<_>>()).collect()
}

fn column(row: &Row, i: usize) -> Value {
    macro_rules! shown {
        ($type:ty) => {
            row.get::<_, Option<$type>>(i).map(|value| format!("{value:?}"))
        };
    }
    let kind = row.columns()[i].type_();
    let text = match *kind {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => shown!(String),
        Type::BYTEA => shown!(Vec<u8>),
        Type::BOOL => shown!(bool),
        Type::INT2 => shown!(i16),
        Type::INT4 => shown!(i32),
        Type::INT8 => shown!(i64),
        Type::FLOAT4 => shown!(f32),
        Type::FLOAT8 => shown!(f64),
        Type::NUMERIC => shown!(Decimal),
        Type::DATE => shown!(NaiveDate),
        Type::TIME => shown!(NaiveTime),
        Type::TIMESTAMP => shown!(NaiveDateTime),
        Type::TIMESTAMPTZ => shown!(DateTime<Utc>),
        Type::UUID => shown!(Uuid),
        Type::JSON | Type::JSONB => shown!(Value),
        Type::INET => shown!(std::net::IpAddr),
        Type::TEXT_ARRAY => shown!(Vec<Option<String>>),
        Type::INT4_ARRAY => shown!(Vec<i32>),
        Type::DATE_ARRAY => shown!(Vec<NaiveDate>),
        _ => None,
    };
    json!([kind.name(), text])
}

pub async fn all(url: &str) {
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    every_type(&client).await;
    statements(&client).await;
    transactions(&mut client).await;
    copies(&client).await;
    errors(&client).await;
}

async fn every_type(client: &Client) {
    let kinds = kinds();
    let names: Vec<_> = kinds.iter().map(|kind| kind.0).collect();
    let places: Vec<_> = (1..=kinds.len()).map(|n| format!("${n}")).collect();
    let (names, places) = (names.join(", "), places.join(", "));
    let insert = format!("INSERT INTO kinds ({names}) VALUES ({places}) RETURNING {names}");
    let values: Vec<&(dyn ToSql + Sync)> = kinds.iter().map(|kind| kind.1.as_ref()).collect();
    step("a row of every type", client.query(&insert, &values).await.map(|rows| seen(&rows)));
    for (name, value, searched) in &kinds {
        if *searched {
            let select = format!("SELECT {name} FROM kinds WHERE {name} = $1");
            let rows = client.query(&select, &[value.as_ref()]).await;
            step(&format!("searched by {name}"), rows.map(|rows| seen(&rows)));
        }
    }
    step("what a statement is", described(client).await);
}

async fn described(client: &Client) -> Result<Value, Error> {
    let sql = "UPDATE users SET age = $1, born = $2, balance = $3 WHERE email = $4 RETURNING age, born, nick";
    let statement = client.prepare(sql).await?;
    let parameters: Vec<_> = statement.params().iter().map(Type::name).collect();
    let columns: Vec<_> = statement.columns().iter().map(|c| (c.name(), c.type_().name(), c.type_modifier())).collect();
    Ok(json!([parameters, columns]))
}

async fn statements(client: &Client) {
    step("prepared", prepared(client).await);
    step("many at once", pipelined(client).await);
    step("with types of its own", typed(client).await);
    step("streamed", streamed(client).await);
    let sql = "SELECT email, age, born FROM users WHERE email = 'kanarie-1'; UPDATE users SET nick = 'kanarie' WHERE age = 2";
    step("a simple query", client.simple_query(sql).await.map(|messages| messages.iter().map(simple).collect()));
}

fn simple(message: &SimpleQueryMessage) -> Value {
    match message {
        SimpleQueryMessage::Row(row) => (0..row.len()).map(|i| row.get(i)).collect(),
        SimpleQueryMessage::CommandComplete(count) => json!(count),
        _ => json!(null),
    }
}

async fn prepared(client: &Client) -> Result<Value, Error> {
    let statement = client.prepare("INSERT INTO users (email, age, born) VALUES ($1, $2, $3) RETURNING id, email").await?;
    let mut all = Vec::new();
    for n in 0..4 {
        let email = format!("kanarie-{n}");
        all.push(seen(&client.query(&statement, &[&email, &n, &NaiveDate::from_ymd_opt(1973, 3, 31)]).await?));
    }
    Ok(json!(all))
}

/// Queries that are awaited together share the connection: their messages go out before any answer has come.
async fn pipelined(client: &Client) -> Result<Value, Error> {
    let statement = client.prepare("SELECT email, age, born FROM users WHERE email = $1").await?;
    let (one, two, three) = tokio::try_join!(
        client.query(&statement, &[&"kanarie-1"]),
        client.query(&statement, &[&"nobody"]),
        client.query(&statement, &[&"kanarie-3"]),
    )?;
    Ok(json!([seen(&one), seen(&two), seen(&three)]))
}

async fn typed(client: &Client) -> Result<Value, Error> {
    let sql = "SELECT email FROM users WHERE age = $1 AND email = $2";
    let rows = client.query_typed(sql, &[(&1i32, Type::INT4), (&"kanarie-1", Type::TEXT)]).await?;
    Ok(seen(&rows))
}

async fn streamed(client: &Client) -> Result<Value, Error> {
    let parameters: [&str; 1] = ["kanarie-0"];
    let rows = client.query_raw("SELECT email, age FROM users WHERE email <> $1 ORDER BY id", parameters).await?;
    Ok(seen(&rows.try_collect::<Vec<_>>().await?))
}

async fn transactions(client: &mut Client) {
    step("fetched in portions", portions(client).await);
    step("rolled back", rolled_back(client).await);
    let after = client.query("SELECT count(*) FROM users WHERE nick = $1", &[&"nobody"]).await;
    step("after it", after.map(|rows| seen(&rows)));
}

async fn portions(client: &mut Client) -> Result<Value, Error> {
    let transaction = client.transaction().await?;
    let portal = transaction.bind("SELECT email, age FROM users ORDER BY id", &[]).await?;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(seen(&transaction.query_portal(&portal, 2).await?));
    }
    transaction.commit().await?;
    Ok(json!(all))
}

async fn rolled_back(client: &mut Client) -> Result<Value, Error> {
    let mut transaction = client.transaction().await?;
    transaction.execute("UPDATE users SET nick = $1 WHERE email = $2", &[&"nobody", &"kanarie-1"]).await?;
    let savepoint = transaction.savepoint("here").await?;
    let failed = savepoint.execute("INSERT INTO users (email) VALUES ($1)", &[&"kanarie-2"]).await;
    savepoint.rollback().await?;
    let found = transaction.query("SELECT email FROM users WHERE nick = $1", &[&"nobody"]).await?;
    transaction.rollback().await?;
    Ok(json!([failed.err().map(|error| error.described()), seen(&found)]))
}

async fn copies(client: &Client) {
    step("COPY of text", copied_text(client).await);
    step("COPY in binary", copied_binary(client).await);
}

async fn copied_text(client: &Client) -> Result<Value, Error> {
    let sink = client.copy_in("COPY users (email, age, born) FROM STDIN").await?;
    pin_mut!(sink);
    for part in ["kanarie-copied\t1733", "173317\t1973-03-31\nkanarie-also", "\t\\N\t\\N\n"] {
        sink.send(bytes::Bytes::from(part)).await?;
    }
    let written = sink.finish().await?;
    let out = client.copy_out("COPY (SELECT email, age, born FROM users ORDER BY id) TO STDOUT CSV").await?;
    pin_mut!(out);
    let mut text = Vec::new();
    while let Some(part) = out.next().await {
        text.extend_from_slice(&part?);
    }
    Ok(json!([written, String::from_utf8_lossy(&text)]))
}

async fn copied_binary(client: &Client) -> Result<Value, Error> {
    let sink = client.copy_in("COPY users (email, age) FROM STDIN BINARY").await?;
    let writer = BinaryCopyInWriter::new(sink, &[Type::TEXT, Type::INT4]);
    pin_mut!(writer);
    for n in 10..13i32 {
        writer.as_mut().write(&[&format!("kanarie-{n}"), &n]).await?;
    }
    let written = writer.finish().await?;
    let rows = client.query("SELECT email FROM users WHERE age = ANY ($1) ORDER BY id", &[&vec![11i32, 12]]).await?;
    Ok(json!([written, seen(&rows)]))
}

async fn errors(client: &Client) {
    let unknown = client.query("SELECT nosuch FROM users WHERE email = $1", &[&"kanarie-1"]).await;
    step("an unknown column", unknown.map(|rows| seen(&rows)));
    let sorted = client.query("SELECT id FROM users ORDER BY email", &[]).await;
    step("sorted by a protected column", sorted.map(|_| json!(null)));
    let alive = client.query("SELECT email FROM users WHERE email = $1", &[&"kanarie-1"]).await;
    step("alive", alive.map(|rows| seen(&rows)));
}
